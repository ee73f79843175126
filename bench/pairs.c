/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds, medians and tables. */
#include "pairs.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUND_NANOSECONDS 2000000U

static int prints_csv;

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

void start_sleeping_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, sleep_for_ever, NULL) != 0)
        fail("no thread could be started");
    pthread_detach(thread);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof values[0], compare);
}

/* Operations that take about one round; also warms caches up. */
static uint64_t calibrate(const struct arm *arm)
{
    uint64_t count = 1;
    for (;;) {
        const uint64_t taken = arm->run(arm->state, count);
        if (taken >= ROUND_NANOSECONDS / 4 || count > UINT64_C(1) << 24)
            return count * ROUND_NANOSECONDS / (taken + 1) + 1;
        count *= 4;
    }
}

static double per_part(const struct arm *arm, uint64_t count, uint64_t parts)
{
    return (double)arm->run(arm->state, count) / (double)(count * (parts != 0 ? parts : 1));
}

static void print_values(const double values[ROUNDS], uint64_t bytes)
{
    double low = values[0], middle = values[ROUNDS / 2], high = values[ROUNDS - 1];
    if (bytes != 0) {
        low = (double)bytes / values[ROUNDS - 1];
        middle = (double)bytes / values[ROUNDS / 2];
        high = (double)bytes / values[0];
    }
    printf(prints_csv ? ",%.4g,%.4g,%.4g" : " %.4g (%.4g to %.4g) |", middle, low, high);
}

void pairs_begin(const char *title, int csv)
{
    prints_csv = csv;
    if (csv)
        printf(
            "what,unit,ours,ours_min,ours_max,peer,peer_median,peer_min,peer_max,ratio,ratio_min,ratio_max,goal,met\n");
    else
        printf("\n%s\n\n| what | unit | Halyard | peer | its figure | ratio of times | goal | met |\n"
               "|---|---|---|---|---|---|---|---|\n",
               title);
}

int pair_run(const struct pair *pair)
{
    double ours[ROUNDS], peer[ROUNDS], ratios[ROUNDS];
    const uint64_t our_count = pair->count != 0 ? pair->count : calibrate(&pair->ours);
    const uint64_t peer_count = pair->count != 0 ? pair->count : calibrate(&pair->peer);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = per_part(&pair->ours, our_count, pair->parts);
        peer[i] = per_part(&pair->peer, peer_count, pair->parts);
        ratios[i] = ours[i] / peer[i];
    }
    sort(ours);
    sort(peer);
    sort(ratios);
    const double ratio = ratios[ROUNDS / 2];
    const int is_met = pair->goal <= 0 || ratio <= pair->goal;
    const char *unit = pair->bytes != 0 ? "GB/s" : "ns";
    printf(prints_csv ? "\"%s\",%s" : "| %s | %s |", pair->what, unit);
    print_values(ours, pair->bytes);
    printf(prints_csv ? ",\"%s\"" : " %s |", pair->peer.name);
    print_values(peer, pair->bytes);
    printf(prints_csv ? ",%.3g,%.3g,%.3g" : " %.3g (%.3g to %.3g) |", ratio, ratios[0], ratios[ROUNDS - 1]);
    if (pair->goal > 0)
        printf(prints_csv ? ",%.3g,%s\n" : " at most %.3g | %s |\n", pair->goal, is_met ? "yes" : "no");
    else
        printf(prints_csv ? ",,\n" : " | |\n");
    fflush(stdout);
    return is_met;
}
