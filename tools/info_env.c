/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard info --env`: the declared parameters, those of loaded backends included. */
#include "tool.h"

static void print_param(const haly_param_info *info)
{
    const char *refused = refused_value(info->variable);
    printf("%s=%s\n", info->variable, refused != NULL ? refused : info->value);
    printf("    from     %s\n", refused != NULL ? "environment, but refused: the default is in force" : info->source);
    printf("    default  %s\n", info->default_value[0] != '\0' ? info->default_value : "none");
    printf("    grammar  %s\n", info->type);
    printf("    name     %s (for programs)\n", info->name);
    printf("    %s\n", info->help);
}

int info_env(haly_instance *instance)
{
    uint32_t count = 0;
    if (haly_param_count(instance, &count) != HALY_OK) {
        haly_error_print(stderr);
        return TOOL_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        if (haly_param_info_get(instance, i, &info) != HALY_OK) {
            haly_error_print(stderr);
            return TOOL_FAILED;
        }
        print_param(&info);
    }
    return TOOL_OK;
}
