/* SPDX-License-Identifier: Apache-2.0 */
/* `halyard doctor`: goes through everything between a program and a working device, in the order in which it can fail,
 * and says of each finding how to mend it. */
#include <stdarg.h>
#include <string.h>

#include "tool.h"

static unsigned counts[VERDICT_FAIL + 1];

static const struct command_help help = {
    "halyard doctor",
    "Checks environment variables, policy file, backends, devices (each one computes something) and this machine's\n"
    "limits, and says how to mend what is wrong.",
    "lines: ok; note (worth knowing); warn (works, but slowly or not for everything); FAIL (does not work)\n"
    "exit status: 0 no FAIL line, 1 at least one, 2 usage",
    NULL,
    0,
};

void report(enum verdict verdict, const char *subject, const char *mend, const char *format, ...)
{
    static const char *const names[] = {"ok", "note", "warn", "FAIL"};
    va_list arguments;
    counts[verdict]++;
    printf("%-5s %-18s ", names[verdict], subject);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    if (mend != NULL)
        printf("%24s mend: %s\n", "", mend);
}

static const char *mend_variable(const char *variable, haly_status status)
{
    if (status == HALY_ERR_INVALID)
        return "correct or unset it; halyard info --env shows the grammar of every variable";
    if (strcmp(variable, "HALYARD_BACKEND") == 0 && status == HALY_ERR_NOT_FOUND)
        return "install that backend, name its folder in HALYARD_BACKEND_PATH, or correct or unset HALYARD_BACKEND";
    return "mend what the message names, or unset it";
}

static const char *mend_policy(haly_status status)
{
    if (status == HALY_ERR_PERMISSION)
        return "it must be a regular file of root's that all can read and nobody else can write (chmod 0644)";
    return status == HALY_ERR_INVALID ? "correct it; man libhalyard shows the grammar" : "see what the message names";
}

static void complain(void *user, const char *variable, const haly_error *error)
{
    const bool is_policy = variable == NULL && strstr(error->message, HALY_POLICY_FILE) != NULL;
    const char *mend = "see what the message names";
    if (is_policy)
        *(bool *)user = true;
    if (variable != NULL)
        mend = mend_variable(variable, error->status);
    else if (is_policy)
        mend = mend_policy(error->status);
    report(VERDICT_FAIL,
           variable != NULL ? variable
           : is_policy      ? "policy"
                            : "library",
           mend, "%s [%s]", error->message, haly_status_name(error->status));
}

int command_doctor(int argc, char **argv)
{
    int result = TOOL_OK;
    bool policy_is_wrong = false;
    if (!options_read(&help, argc, argv, &result))
        return result;
    report(VERDICT_OK, "library", NULL, "halyard %s", haly_version_text());
    haly_instance *instance = instance_open_anyway(complain, &policy_is_wrong);
    if (!policy_is_wrong)
        doctor_policy();
    if (instance != NULL) {
        doctor_environment(instance);
        doctor_backends(instance);
        doctor_devices(instance);
    }
    doctor_machine();
    haly_instance_release(instance);
    if (counts[VERDICT_FAIL] + counts[VERDICT_WARN] == 0)
        printf("\nnothing is wrong\n");
    else
        printf("\n%u wrong, %u to look at\n", counts[VERDICT_FAIL], counts[VERDICT_WARN]);
    return counts[VERDICT_FAIL] == 0 ? TOOL_OK : TOOL_FAILED;
}
