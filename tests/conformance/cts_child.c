/* SPDX-License-Identifier: Apache-2.0 */
/* The process of one case: opens what the case asked for, runs it, checks what it left behind, sends the verdict. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cts_runner.h"

void cts_send_verdict(struct cts *t, enum cts_verdict verdict, const char *reason)
{
    char text[4096];
    const int length = snprintf(text, sizeof text, "%d\n%s", (int)verdict, reason);
    const size_t size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    const int fd = t->options->result_fd >= 0 ? t->options->result_fd : STDERR_FILENO;
    if (write(fd, text, size) != (ssize_t)size)
        _exit(125);
}

void cts_parameters(const struct cts *t, haly_param *params, uint32_t *count)
{
    *count = 0;
    if (t->options->backend != NULL)
        params[(*count)++] = (haly_param){"backend", t->options->backend};
    if (t->options->backend_path != NULL)
        params[(*count)++] = (haly_param){"backend_path", t->options->backend_path};
    if (t->options->device != NULL)
        params[(*count)++] = (haly_param){"device", t->options->device};
    if (t->variant == CTS_STRICT && t->options->strict_param != NULL)
        params[(*count)++] = (haly_param){t->options->strict_param, "1"};
}

/* What the validation layer says of the program. */
static bool remember_finding(struct cts *t, haly_log_level level, const char *text)
{
    static const char prefix[] = "validate: ";
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    t->findings += level == HALY_LOG_ERROR;
    t->hints += level == HALY_LOG_INFO;
    if (level == HALY_LOG_INFO)
        (void)snprintf(t->hint, sizeof t->hint, "%s", text);
    return true;
}

/* An error that is logged although no expected failure explains it fails the case; and so does a finding of the
 * validation layer, unless the case is about that. */
static void remember_log(void *user, haly_log_level level, const char *text)
{
    struct cts *t = user;
    const bool is_explained = remember_finding(t, level, text) ? t->findings_expected != 0 : t->failures_expected != 0;
    if (level == HALY_LOG_ERROR && !is_explained && t->error_log[0] == '\0')
        (void)snprintf(t->error_log, sizeof t->error_log, "%s", text);
}

haly_status cts_try_instance(struct cts *t, const haly_param *params, uint32_t count, haly_instance **out_instance)
{
    haly_param all[16];
    uint32_t used = 0;
    cts_parameters(t, all, &used);
    for (uint32_t i = 0; i < count && used < 16; i++) {
        uint32_t at = 0;
        while (at < used && strcmp(all[at].name, params[i].name) != 0)
            at++;
        all[at] = params[i]; /* a parameter of the case's own replaces the runner's */
        used += at == used;
    }
    const haly_instance_desc desc = {HALY_INSTANCE_DESC_INIT,          .params = all,       .param_count = used,
                                     .param_size = sizeof(haly_param), .log = remember_log, .log_user = t,
                                     .log_level = HALY_LOG_INFO};
    return haly_instance_create(&desc, out_instance);
}

static bool lacks_capability(struct cts *t)
{
    const uint64_t missing = t->info->capabilities & ~t->spec.capabilities;
    for (int i = 0; i < 64; i++) {
        const char *name = haly_capability_name(UINT64_C(1) << i);
        if ((missing >> i & 1) != 0)
            (void)snprintf(t->reason + strlen(t->reason), sizeof t->reason - strlen(t->reason), "%s%s",
                           t->reason[0] == '\0' ? "the device does not declare " : ", ",
                           name != NULL ? name : "what this library does not know");
    }
    if ((t->info->flags & CTS_OPERATORS) != 0 &&
        (t->spec.capabilities & (HALY_CAP_PLANS | HALY_CAP_OPERATOR_KERNELS | HALY_CAP_KERNELS)) == 0)
        (void)snprintf(t->reason, sizeof t->reason, "the device declares neither operators nor operator kernels");
    return t->reason[0] != '\0';
}

/* What a case starts with. */
static void open_case(struct cts *t)
{
    if ((t->info->flags & CTS_NO_INSTANCE) != 0)
        return;
    CTS_OK(cts_try_instance(t, NULL, 0, &t->instance));
    const uint32_t caps_matter = t->info->capabilities != 0 || (t->info->flags & CTS_OPERATORS) != 0;
    if ((t->info->flags & CTS_NO_CONTEXT) != 0 && !caps_matter) {
        if (haly_device_find(t->instance, NULL, &t->device) == HALY_OK) {
            t->spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT};
            CTS_OK(haly_device_spec_get(t->device, &t->spec));
        }
        haly_error_clear();
        return;
    }
    CTS_OK(haly_device_find(t->instance, NULL, &t->device));
    t->spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT};
    CTS_OK(haly_device_spec_get(t->device, &t->spec));
    if (lacks_capability(t))
        cts_unsupported(t, "%s", t->reason);
    if ((t->info->flags & CTS_NO_CONTEXT) != 0)
        return;
    const haly_context_desc desc = cts_context_desc(t);
    CTS_OK(haly_context_open(t->instance, &desc, &t->context));
    CTS_OK(haly_stream_create(t->context, NULL, &t->stream));
    CTS_OK(haly_stream_create(t->context, NULL, &t->aux));
}

static void close_context(struct cts *t)
{
    cts_owned_check_guards(t);
    if (t->context != NULL && !t->is_broken)
        CTS_OK(haly_context_sync(t->context, CTS_PATIENCE));
    else if (t->context != NULL)
        (void)haly_context_sync(t->context, CTS_PATIENCE); /* reports the failure that the case made */
    cts_owned_release(t);
    haly_stream_release(t->stream);
    haly_stream_release(t->aux);
    if (t->context != NULL && !t->is_broken) {
        const haly_memory_stats stats = cts_stats(t, t->context);
        CTS_CHECK(stats.allocation_count == 0, "%llu allocations were left behind",
                  (unsigned long long)stats.allocation_count);
    }
    haly_context_release(t->context);
    haly_instance_release(t->instance);
    if (!t->is_broken) /* of a broken context nobody can say that its work has ended */
        cts_owned_release_host(t);
}

int cts_child_run(const struct cts_options *options)
{
    static struct cts the_case;
    struct cts *t = &the_case;
    const struct cts_case *info = cts_case_find(options->run_case);
    if (info == NULL)
        return 126;
    t->info = info;
    t->options = options;
    t->variant = options->run_variant;
    t->random = options->seed;
    for (const char *at = info->name; *at != '\0'; at++) /* cases do not share their random numbers */
        t->random = (t->random ^ (uint64_t)(unsigned char)*at) * 0x100000001b3ULL;
    (void)unsetenv("HALYARD_LOG"); /* the user's wish to see the log is not the library printing unasked */
    (void)unsetenv("HALYARD_MEM_LIMIT");
    open_case(t);
    info->run(t);
    close_context(t);
    if (t->error_log[0] != '\0')
        cts_send_verdict(t, CTS_FAIL, t->error_log);
    else if (t->parts_run == 0 && t->parts_unsupported != 0)
        cts_send_verdict(t, CTS_UNSUPPORTED, t->reason);
    else
        cts_send_verdict(t, CTS_PASS, "");
    return 0;
}

/* Name of the parameter that makes device memory unreachable for the host, "" when the backend has none. */
static void find_strict(haly_instance *instance, const char *backend, char *out, size_t size)
{
    char variable[64];
    uint32_t count = 0;
    (void)snprintf(variable, sizeof variable, "HALYARD_%s_STRICT", backend);
    for (char *at = variable; *at != '\0'; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    out[0] = '\0';
    if (haly_param_count(instance, &count) != HALY_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        haly_param_info info = {HALY_PARAM_INFO_INIT};
        if (haly_param_info_get(instance, i, &info) == HALY_OK && strcmp(info.variable, variable) == 0)
            (void)snprintf(out, size, "%s", info.name);
    }
}

int cts_child_probe(const struct cts_options *options)
{
    struct cts t = {.options = options, .variant = CTS_ORDINARY};
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    haly_error error = {HALY_ERROR_INIT};
    struct cts_probe probe = {.message = ""};
    probe.is_usable = cts_try_instance(&t, NULL, 0, &t.instance) == HALY_OK &&
                      haly_device_find(t.instance, NULL, &t.device) == HALY_OK &&
                      haly_device_spec_get(t.device, &spec) == HALY_OK;
    if (probe.is_usable)
        find_strict(t.instance, spec.backend, probe.strict_param, sizeof probe.strict_param);
    else
        (void)snprintf(probe.message, sizeof probe.message, "%s",
                       haly_error_last(&error) == HALY_OK ? error.message : "no reason was given");
    (void)snprintf(probe.backend, sizeof probe.backend, "%s", spec.backend);
    (void)snprintf(probe.name, sizeof probe.name, "%s", spec.name);
    (void)snprintf(probe.architecture, sizeof probe.architecture, "%s", spec.architecture);
    probe.capabilities = spec.capabilities;
    const bool is_sent = cts_probe_send(&probe, options->result_fd >= 0 ? options->result_fd : STDOUT_FILENO);
    haly_instance_release(t.instance);
    return is_sent ? 0 : 1;
}
