/* SPDX-License-Identifier: Apache-2.0 */
/* Judging handles before anybody follows them. */
#include "layers/validate_handle.h"

#include <stdio.h>

#include "layers/validate.h"
#include "layers/validate_report.h"

static _Thread_local uint32_t host_calls; /* that the thread is in */

void validate_host_call_enter(void)
{
    host_calls++;
}

void validate_host_call_leave(void)
{
    host_calls--;
}

/* "stream 5 \"decode\"" */
#define HANDLE_TEXT 128
static const char *describe(const struct handle_facts *facts, char text[HANDLE_TEXT])
{
    snprintf(text, HANDLE_TEXT, "%s %llu%s%.63s%s", object_kind_name(facts->kind), (unsigned long long)facts->id,
             facts->name[0] != '\0' ? " \"" : "", facts->name, facts->name[0] != '\0' ? "\"" : "");
    return text;
}

/* Says what a handle is that must not be followed. */
static void add_finding(struct findings *findings, const char *function, const void *handle,
                        const struct handle_facts *facts)
{
    char what[HANDLE_TEXT], made[PLACE_TEXT], gone[PLACE_TEXT];
    if (facts->state == HANDLE_UNKNOWN)
        findings_add(findings, HALY_LOG_ERROR, 0, "handle: %s: %p is no handle of Halyard's, or was released long ago",
                     function, handle);
    else if (facts->state == HANDLE_OF_RELEASED)
        findings_add(findings, HALY_LOG_ERROR, 0,
                     "handle: %s: the context of %s was released, and what it holds with it; the %s was made at %s",
                     function, describe(facts, what), object_kind_name(facts->kind), place_text(&facts->made, made));
    else
        findings_add(findings, HALY_LOG_ERROR, 0, "handle: %s: %s was released at %s; it was made at %s", function,
                     describe(facts, what), place_text(&facts->released, gone), place_text(&facts->made, made));
}

/* A host call must not call Halyard: it may run on the thread that would have to go on for it. */
static haly_status check_caller(const char *function)
{
    struct findings findings = {0};
    char here[PLACE_TEXT];
    if (host_calls == 0)
        return HALY_OK;
    const struct place place = place_here();
    findings_add(&findings, HALY_LOG_ERROR, 0, "host call: %s is called from inside a host call, at %s", function,
                 place_text(&place, here));
    return findings_tell(&findings, function, validate_fails());
}

haly_status validate_handle(const char *function, const void *handle)
{
    struct handle_facts facts;
    struct findings findings = {0};
    if (process_current_generation() == 0) /* forked, or shut down: the list may be half changed, and all is refused */
        return HALY_OK;
    const enum handle_state state = handles_find(handle, &facts);
    if (state == HANDLE_LIVE || state == HANDLE_UNLISTED)
        return check_caller(function);
    add_finding(&findings, function, handle, &facts);
    return findings_tell(&findings, function, true);
}

bool validate_reference(const char *verb, const void *handle, uint32_t kind)
{
    struct handle_facts facts;
    struct findings findings = {0};
    char function[64];
    if (process_current_generation() == 0)
        return true;
    snprintf(function, sizeof function, "haly_%s_%s", object_kind_name(kind), verb);
    const enum handle_state state = handles_find(handle, &facts);
    const bool is_there = state == HANDLE_LIVE || state == HANDLE_UNLISTED || state == HANDLE_OF_RELEASED;
    if (!is_there)
        add_finding(&findings, function, handle, &facts);
    else if (check_caller(function) != HALY_OK)
        return false;
    findings_tell(&findings, function, false);
    return is_there;
}
