/* SPDX-License-Identifier: Apache-2.0 */
/* Text output: what did not pass as it happens, then one line per group and one in all. */
#include <inttypes.h>
#include <string.h>

#include "cts_runner.h"

void cts_report_result(const struct cts_options *options, const struct cts_result *result)
{
    const bool is_bad = result->verdict == CTS_FAIL || result->verdict == CTS_EXPECTED_FAILURE;
    if (options->quiet || (!is_bad && !options->verbose))
        return;
    (void)printf("%-16s %s.%s [%s] %.2f s\n", cts_verdict_name(result->verdict), result->info->group,
                 result->info->name, cts_variant_name(result->variant), result->seconds);
    if (result->reason[0] != '\0')
        (void)printf("    %s\n", result->reason);
    for (const char *at = result->output; is_bad && *at != '\0';) {
        const size_t length = strcspn(at, "\n");
        (void)printf("    | %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
    (void)fflush(stdout);
}

struct tally {
    uint32_t cases;
    uint32_t verdicts[CTS_VERDICTS];
};

static void print_tally(const char *name, const struct tally *tally)
{
    (void)printf("%-12s %4u cases:", name, tally->cases);
    for (uint32_t verdict = 0; verdict < CTS_VERDICTS; verdict++)
        (void)printf("%s %u %s", verdict == 0 ? "" : ",", tally->verdicts[verdict],
                     cts_verdict_name((enum cts_verdict)verdict));
    (void)printf("\n");
}

static void count_result(struct tally *tally, const struct cts_run *run, uint32_t index)
{
    tally->verdicts[run->results[index].verdict]++;
    if (index == 0 || run->results[index].info != run->results[index - 1].info)
        tally->cases++;
}

void cts_report_summary(const struct cts_run *run)
{
    struct tally total, group;
    memset(&total, 0, sizeof total);
    memset(&group, 0, sizeof group);
    for (uint32_t i = 0; i < run->count; i++) {
        count_result(&total, run, i);
        count_result(&group, run, i);
        const char *name = run->results[i].info->group;
        if (i + 1 == run->count || strcmp(name, run->results[i + 1].info->group) != 0) {
            print_tally(name, &group);
            memset(&group, 0, sizeof group);
        }
    }
    print_tally("all", &total);
    (void)printf("seed %" PRIu64 "; a case counts once, its verdicts once for each kind of context\n",
                 run->options->seed);
}
