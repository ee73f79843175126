/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: what of a description is loaded, and by whom. */
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "check.h"
#include "image.h"
#include "kernel.h"
#include "process.h"
#include "retire.h"
#include "text.h"

static haly_status check_desc(const haly_module_desc *desc, haly_module_desc *out_checked)
{
    TRY(CHECK_INPUT(desc, haly_module_desc, kernel_size, out_checked));
    TRY(check_name(out_checked->name));
    TRY(check_ext(out_checked->ext, "haly_module_desc"));
    if (out_checked->format != HALY_MODULE_AUTO && image_format_name(out_checked->format) == NULL)
        return FAIL(HALY_ERR_UNSUPPORTED, "module format %d is not known to this version", (int)out_checked->format);
    if (out_checked->format != HALY_MODULE_OPERATORS && out_checked->data == NULL && out_checked->path == NULL)
        return FAIL(HALY_ERR_INVALID, "haly_module_desc has neither data nor path");
    if ((out_checked->kernels == NULL) != (out_checked->kernel_count == 0))
        return FAIL(HALY_ERR_INVALID, "haly_module_desc has %u kernels at %s", out_checked->kernel_count,
                    out_checked->kernels != NULL ? "an address" : "NULL");
    if (out_checked->kernels != NULL && out_checked->kernel_size != 0 &&
        out_checked->kernel_size < HALY_SIZE_THROUGH(haly_kernel_info, name))
        return FAIL(HALY_ERR_INVALID, "haly_module_desc.kernel_size is %u; expected sizeof(haly_kernel_info), %u",
                    out_checked->kernel_size, (uint32_t)sizeof(haly_kernel_info));
    return HALY_OK;
}

static haly_status check_can_load(const haly_context *context, const haly_module_desc *desc)
{
    const haly_device_spec *spec = &context->device->spec;
    const uint64_t wanted = desc->format == HALY_MODULE_OPERATORS ? HALY_CAP_OPERATOR_KERNELS : HALY_CAP_KERNELS;
    if ((spec->capabilities & wanted) == 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "device \"%s\" of backend \"%s\" %s", spec->name, spec->backend,
                    desc->format == HALY_MODULE_OPERATORS ? "brings no operator kernels" : "loads no kernels");
    return HALY_OK;
}

static haly_status module_start(haly_module *module, const haly_module_desc *desc, struct image_set *images)
{
    haly_context *context = module->object.context;
    module->block = block_create(context->backend->module_size);
    if (module->block == NULL)
        return fail_host_oom("a module", context->backend->module_size);
    TRY(image_set_load(context, images, module->block));
    const haly_status status = object_publish(&module->object, desc->name);
    if (status != HALY_OK)
        context->backend->module_unload(module->block);
    return status;
}

static haly_status module_create(haly_context *context, const haly_module_desc *desc, struct image_set *images,
                                 haly_module **out_module)
{
    haly_module *module = calloc(1, sizeof *module);
    if (module == NULL)
        return fail_host_oom("a module", sizeof *module);
    object_init(&module->object, HALY_OBJECT_MODULE, context);
    module->table = images->table;
    memcpy(module->label, images->label, sizeof module->label);
    const haly_status status = module_start(module, desc, images);
    if (status != HALY_OK) {
        block_destroy(module->block);
        object_free(&module->object);
        return status;
    }
    *out_module = module;
    return HALY_OK;
}

haly_status haly_module_load(haly_context *context, const haly_module_desc *desc, haly_module **out_module)
{
    PUT_OFF_CANCELLATION();
    haly_module_desc checked;
    struct image_set images;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    REQUIRE(out_module);
    TRY(check_desc(desc, &checked));
    TRY(check_can_load(context, &checked));
    TRY(image_set_open(context, &checked, &images));
    const haly_status status = module_create(context, &checked, &images, out_module);
    if (status != HALY_OK)
        free(images.table);
    image_set_close(&images);
    return HAND_ON(status);
}

/* What would be done with one image, the `index`-th in order of trial. */
static void explain_image(const struct image *image, uint32_t index, char *text, uint64_t size, uint64_t *needed)
{
    const haly_backend_image *told = &image->told;
    char what[128];
    text_set(what, sizeof what, "%s%s%s", image_format_name(told->format), told->architecture[0] != '\0' ? " for " : "",
             told->architecture);
    if (image->is_refused)
        text_line(text, size, needed, "%s: %s: refused: %s", image->label, what, image->why);
    else
        text_line(text, size, needed, "%s: %s: %s, rank %u", image->label, what,
                  index == 0 ? "would be loaded" : "next", image->rank);
}

haly_status haly_module_explain(haly_context *context, const haly_module_desc *desc, char *text, uint64_t size,
                                uint64_t *out_needed)
{
    PUT_OFF_CANCELLATION();
    haly_module_desc checked;
    struct image_set images;
    uint64_t needed = 0;
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(desc);
    if (size > 0)
        REQUIRE(text);
    TRY(check_desc(desc, &checked));
    TRY(image_set_open(context, &checked, &images));
    if (size > 0)
        text[0] = '\0';
    for (uint32_t i = 0; i < images.count; i++)
        explain_image(&images.images[i], i, text, size, &needed);
    if (out_needed != NULL)
        *out_needed = needed + 1;
    free(images.table);
    image_set_close(&images);
    return HALY_OK;
}

haly_status haly_module_load_file(haly_context *context, const char *path, haly_module **out_module)
{
    PUT_OFF_CANCELLATION();
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .path = path};
    ENTRY_LIVE(context, HALY_OBJECT_CONTEXT, context);
    REQUIRE(path);
    TRY(haly_module_load(context, &desc, out_module));
    return HALY_OK;
}

void haly_module_retain(haly_module *module)
{
    object_retain(module, HALY_OBJECT_MODULE);
}

void module_destroy(struct object *object)
{
    haly_module *module = (haly_module *)object;
    object->context->backend->module_unload(module->block);
    block_destroy(module->block);
    free(module->table);
    object_free(&module->object);
}

static void module_end(struct object *object)
{
    object_unpublish(object);
    retire_idle(object, module_destroy); /* queued launches keep the kernel, which keeps the module */
}

void haly_module_release(haly_module *module)
{
    PUT_OFF_CANCELLATION();
    object_release(module, HALY_OBJECT_MODULE, module_end);
}
