/* SPDX-License-Identifier: Apache-2.0 */
/* Reading attributes. A misspelt name must not fall back on a default unnoticed, so names are checked first. */
#include "attribute.h"

#include <math.h>
#include <string.h>

#include "nearest.h"
#include "text.h"

static const char *kind_name(haly_attribute_kind kind)
{
    static const char *const names[] = {"of an unknown kind", "an int", "a float", "a text", "a list of ints"};
    return (uint32_t)kind < sizeof names / sizeof *names ? names[kind] : names[0];
}

static haly_status refuse_name(const struct op_call *call, const char *name)
{
    const struct op *op = call->op;
    char known[160] = "";
    struct nearest nearest;
    nearest_start(&nearest, name);
    for (const struct attribute_rule *rule = op->attributes; rule->name != NULL; rule++) {
        nearest_offer(&nearest, rule->name);
        text_append(known, sizeof known, "%s%s", known[0] == '\0' ? "" : ", ", rule->name);
    }
    if (known[0] == '\0')
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is not known; it takes none", op->name, PRINTABLE(name));
    if (nearest.best != NULL)
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is not known; did you mean \"%s\"? It takes %s", op->name,
                    PRINTABLE(name), nearest.best, known);
    return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is not known; it takes %s", op->name, PRINTABLE(name), known);
}

static haly_status check_one(const struct op_call *call, uint32_t index)
{
    const haly_attribute *attribute = &call->attributes[index];
    const struct attribute_rule *rule = call->op->attributes;
    const char *op = call->op->name;
    if (attribute->name == NULL)
        return FAIL(HALY_ERR_INVALID, "%s: attribute %u has no name", op, index);
    while (rule->name != NULL && strcmp(rule->name, attribute->name) != 0)
        rule++;
    if (rule->name == NULL)
        return refuse_name(call, attribute->name);
    if (attribute->kind != rule->kind)
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is %s, expected %s", op, rule->name,
                    kind_name(attribute->kind), kind_name(rule->kind));
    if (rule->kind == HALY_ATTRIBUTE_FLOAT && !isfinite(attribute->value.f))
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is %g, expected a finite number", op, rule->name,
                    attribute->value.f);
    if ((rule->kind == HALY_ATTRIBUTE_TEXT && attribute->value.text == NULL) ||
        (rule->kind == HALY_ATTRIBUTE_INTS && attribute->value.ints == NULL && attribute->count != 0))
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" has a NULL value", op, rule->name);
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(call->attributes[i].name, attribute->name) == 0)
            return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is given twice", op, rule->name);
    return HALY_OK;
}

haly_status attribute_check(const struct op_call *call)
{
    for (uint32_t i = 0; i < call->desc.attribute_count; i++)
        TRY(check_one(call, i));
    return HALY_OK;
}

const haly_attribute *attribute_find(const struct op_call *call, const char *name)
{
    for (uint32_t i = 0; i < call->desc.attribute_count; i++)
        if (strcmp(call->attributes[i].name, name) == 0)
            return &call->attributes[i];
    return NULL;
}

int64_t attribute_int(const struct op_call *call, const char *name, int64_t otherwise)
{
    const haly_attribute *attribute = attribute_find(call, name);
    return attribute != NULL ? attribute->value.i : otherwise;
}

double attribute_float(const struct op_call *call, const char *name, double otherwise)
{
    const haly_attribute *attribute = attribute_find(call, name);
    return attribute != NULL ? attribute->value.f : otherwise;
}

const char *attribute_text(const struct op_call *call, const char *name, const char *otherwise)
{
    const haly_attribute *attribute = attribute_find(call, name);
    return attribute != NULL ? attribute->value.text : otherwise;
}

haly_status attribute_axis(const struct op_call *call, int64_t otherwise, uint32_t rank, uint32_t *out_axis)
{
    const int64_t axis = attribute_int(call, "axis", otherwise), limit = rank;
    if (axis < -limit || axis >= limit)
        return FAIL(HALY_ERR_INVALID, "%s: axis is %lld, expected %lld .. %lld for rank %u", call->op->name,
                    (long long)axis, (long long)-limit, (long long)limit - 1, rank);
    *out_axis = (uint32_t)(axis < 0 ? axis + limit : axis);
    return HALY_OK;
}

haly_status attribute_bool(const struct op_call *call, const char *name, bool otherwise, bool *out_value)
{
    const int64_t value = attribute_int(call, name, otherwise);
    if (value != 0 && value != 1)
        return FAIL(HALY_ERR_INVALID, "%s: attribute \"%s\" is %lld, expected 0 or 1", call->op->name, name,
                    (long long)value);
    *out_value = value == 1;
    return HALY_OK;
}
