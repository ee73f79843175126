/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The administrator's policy: which backends and devices this machine's programs may use at all. One rule a line:
 *
 *     policy  = { line }
 *     line    = [ rule ] [ "#" anything ]
 *     rule    = ("allow" | "deny") subject
 *     subject = "backend" pattern | "vendor" pattern | "device" selector
 *     pattern = a name in which "*" stands for anything; ASCII case does not count; may stand in double quotes
 *     selector = as in halyard/device.h; in double quotes when it holds blanks or "#"
 *
 * A device gets the first rule that matches it; without one it is allowed. A backend is not even opened when its first
 * matching `backend` rule denies it, unless an `allow vendor` or `allow device` rule above might still let one of its
 * devices through. No file: everything is allowed. A file that is malformed, or that others could have written, stops
 * every program: guessing what was meant would open what should be closed.
 */
#ifndef HAL_POLICY_H
#define HAL_POLICY_H

#include <halyard/device.h>

struct policy;

/* @return HALY_OK; HALY_ERR_INVALID (file, line and grammar); HALY_ERR_PERMISSION; HALY_ERR_IO; HALY_ERR_HOST_OOM. */
haly_status policy_load(const char *path, struct policy **out_policy);
void policy_destroy(struct policy *policy);

/* Line of the rule that denies, 0 when it is allowed. */
uint32_t policy_denies_backend(const struct policy *policy, const char *backend);
uint32_t policy_denies_device(const struct policy *policy, const haly_device_spec *spec);

/* Path it was loaded from, for messages. */
const char *policy_path(const struct policy *policy);

#endif
