/* SPDX-License-Identifier: Apache-2.0 */
/* process_scenarios --list: a line "NAME BACKEND" for each, or "NAME BACKEND REASON" when it cannot be run here;
 * process_scenarios NAME BACKEND [SECONDS]: runs one. */
#define _GNU_SOURCE
#include "scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static const struct scenario *const lists[] = {fork_scenarios, exit_scenarios, wait_scenarios, crowd_scenarios};
enum { LISTS = sizeof lists / sizeof *lists };

unsigned scenario_seconds = 1;

void scenario_thread(void *(*run)(void *user), void *user, bool is_detached, void *out_thread)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, run, user) == 0);
    if (is_detached)
        EXPECT(pthread_detach(thread) == 0);
    else
        memcpy(out_thread, &thread, sizeof thread);
}

void scenario_join_child(int child)
{
    int status = -1;
    EXPECT(child > 0);
    EXPECT(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "child %d ended with wait status 0x%x\n", child, (unsigned)status);
        _exit(98);
    }
}

void scenario_sleep(uint64_t nanoseconds)
{
    const struct timespec time = {(time_t)(nanoseconds / SECOND), (long)(nanoseconds % SECOND)};
    nanosleep(&time, NULL);
}

/* Why this build cannot run it: a blank and the reason; "" when it can. */
static const char *obstacle(const struct scenario *scenario)
{
#ifdef __SANITIZE_ADDRESS__
    if ((scenario->flags & FORKS_AMONG_THREADS) != 0)
        return " AddressSanitizer's allocator keeps its locks in the child of a fork";
#elif defined(__SANITIZE_THREAD__)
    if ((scenario->flags & FORKS_AMONG_THREADS) != 0)
        return " ThreadSanitizer takes a child's new thread for one of its parent's";
    if ((scenario->flags & JOINS_THE_MAIN_THREAD) != 0)
        return " ThreadSanitizer does not know the main thread when it is joined";
#endif
    (void)scenario;
    return "";
}

static int list_all(void)
{
    for (int i = 0; i < LISTS; i++)
        for (const struct scenario *scenario = lists[i]; scenario->name != NULL; scenario++) {
            if ((scenario->flags & ON_CPU) != 0)
                printf("%s cpu%s\n", scenario->name, obstacle(scenario));
            if ((scenario->flags & ON_MANUAL) != 0)
                printf("%s manual%s\n", scenario->name, obstacle(scenario));
        }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_all();
    if (argc == 4)
        scenario_seconds = (unsigned)strtoul(argv[3], NULL, 10);
    for (int i = 0; i < LISTS && argc >= 3; i++)
        for (const struct scenario *scenario = lists[i]; scenario->name != NULL; scenario++)
            if (strcmp(scenario->name, argv[1]) == 0)
                return scenario->run(argv[2]);
    fprintf(stderr, "usage: %s --list | NAME cpu|manual [SECONDS]\n", argv[0]);
    return 2;
}
