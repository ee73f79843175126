/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of an instance, for the files that go over them. */
#ifndef HAL_LAYERS_LAYERS_OBJECT_H
#define HAL_LAYERS_LAYERS_OBJECT_H

#include "layers/layer.h"

enum { LAYERS = 2 }; /* that exist */

struct layers {
    uint32_t count;
    struct active_layer {
        const struct layer *layer;
        void *state;
    } active[LAYERS]; /* in the order that records pass them */
};

/* Calls a function of each layer that has it. */
#define LAYERS_TELL(layers_, hook_, ...)                                                                               \
    do {                                                                                                               \
        const struct layers *told_ = (layers_);                                                                        \
        for (uint32_t i_ = 0; i_ < told_->count; i_++)                                                                 \
            if (told_->active[i_].layer->hook_ != NULL)                                                                \
                told_->active[i_].layer->hook_(told_->active[i_].state, __VA_ARGS__);                                  \
    } while (0)

#endif
