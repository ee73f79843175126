/* SPDX-License-Identifier: Apache-2.0 */
/* The chat example's loader, tokenizer and model, on a model with random weights. Its functions say what went wrong in
 * words, so whatever they fail with is shown to be told. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat_template.h"
#include "forward.h"
#include "gguf.h"
#include "sampler.h"
#include "scenario.h"
#include "text_stream.h"
#include "tiny_gguf.h"
#include "tokenizer.h"

/* Made once for all children. */
static const char *model_path(void)
{
    static char path[256];
    if (path[0] != '\0')
        return path;
    const struct tiny_model model = {.seed = 7,
                                     .layers = 2,
                                     .width = 64,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .feed_forward = 96,
                                     .vocabulary = 320,
                                     .context = 64,
                                     .weight_type = TINY_MIXED};
    struct tiny_gguf file = {0};
    snprintf(path, sizeof path, "%s/tiny.gguf", world_sandbox());
    tiny_model_build(&model, &file);
    if (!tiny_write(&file, path))
        abort();
    tiny_free(&file);
    return path;
}

/* A function of the example's: its failure is one sentence, which must not be empty. */
static bool told(struct world *world, const char *call, bool is_good, const struct chat_error *error)
{
    if (is_good)
        return true;
    if (error->text[0] == '\0')
        world_problem(world, "%s failed without a word", call);
    if (world->outcome->function[0] == '\0') {
        snprintf(world->outcome->function, sizeof world->outcome->function, "%s", call);
        world->outcome->status = HALY_STATUS_MAX_ENUM;
        snprintf(world->outcome->error.message, sizeof world->outcome->error.message, "%s", error->text);
    }
    return false;
}

#define CHAT_STEP(function_, ...)                                                                                      \
    do {                                                                                                               \
        struct chat_error error_ = {{0}};                                                                              \
        world_begin(world, #function_);                                                                                \
        if (!told(world, #function_, function_(__VA_ARGS__, &error_), &error_))                                        \
            return;                                                                                                    \
    } while (0)

static void close_file(void *file)
{
    gguf_close(file);
}

static void destroy_tokenizer(void *tokenizer)
{
    tokenizer_destroy(tokenizer);
}

static void destroy_text(void *text)
{
    text_stream_destroy(text);
}

static void destroy_sampler(void *sampler)
{
    sampler_destroy(sampler);
}

static void free_list(void *list)
{
    token_list_free(list);
}

static void unload_model(void *model)
{
    model_unload(model);
}

static void destroy_forward(void *forward)
{
    forward_destroy(forward);
}

static void open_text(struct world *world, struct gguf **out_file, struct tokenizer **out_tokenizer,
                      struct token_list *list)
{
    struct chat_template template;
    CHAT_STEP(gguf_open, model_path(), out_file);
    world_keep(world, *out_file, close_file);
    CHAT_STEP(tokenizer_create, *out_file, out_tokenizer);
    world_keep(world, *out_tokenizer, destroy_tokenizer);
    world_keep(world, list, free_list);
    CHAT_STEP(chat_template_init, &template, *out_tokenizer);
    CHAT_STEP(chat_template_open, &template, "be brief", list);
    CHAT_STEP(chat_template_user, &template, "hello there, machine", strlen("hello there, machine"), list);
    CHECK(list->count > 10);
}

void run_text(struct world *world)
{
    static const struct sampler_options options = {1, 5, 0.9F};
    static float probabilities[320];
    static struct token_list list;
    struct gguf *file = NULL;
    struct tokenizer *tokenizer = NULL;
    struct text_stream *text = NULL;
    struct sampler *sampler = NULL;
    int32_t token = 0;
    list = (struct token_list){0};
    GO(open_text(world, &file, &tokenizer, &list));
    CHAT_STEP(text_stream_create, tokenizer, &text);
    world_keep(world, text, destroy_text);
    CHAT_STEP(sampler_create, &options, tokenizer_size(tokenizer), &sampler);
    world_keep(world, sampler, destroy_sampler);
    for (unsigned i = 0; i < 320; i++)
        probabilities[i] = 1.0F / 320;
    CHAT_STEP(sampler_choose, sampler, probabilities, &token);
    text_stream_add(text, token);
    text_stream_finish(text);
}

void run_model(struct world *world)
{
    static const struct forward_choice choice = {true, 1};
    static struct model model;
    static struct token_list list;
    struct gguf *file = NULL;
    struct tokenizer *tokenizer = NULL;
    struct forward *forward = NULL;
    list = (struct token_list){0};
    memset(&model, 0, sizeof model);
    GO(open_text(world, &file, &tokenizer, &list));
    GO(world_open(world));
    CHAT_STEP(model_load, file, world->context, world->stream, 64, NULL, NULL, &model);
    world_keep(world, &model, unload_model);
    CHAT_STEP(forward_create, &model, &choice, &forward);
    world_keep(world, forward, destroy_forward);
    CHAT_STEP(forward_run, forward, list.tokens, (uint32_t)list.count);
    CHECK(forward_best(forward) >= 0 && forward_best(forward) < 320);
}
