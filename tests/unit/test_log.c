/* SPDX-License-Identifier: Apache-2.0 */
/* Levels, sinks, and what reaches standard error. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static char lines[512];

static void keep(void *user, haly_log_level level, const char *text)
{
    const size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%s%d:%s ", (const char *)user, (int)level, text);
}

static int forget(void **state)
{
    (void)state;
    lines[0] = '\0';
    return 0;
}

static void without_a_sink_nothing_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(log_level_wanted, HALY_LOG_OFF);
    LOG(HALY_LOG_ERROR, "%s", "nobody hears this");
}

static void each_sink_gets_what_it_wants(void **state)
{
    (void)state;
    struct log_sink calm = {.fn = keep, .user = "a", .level = HALY_LOG_ERROR};
    struct log_sink eager = {.fn = keep, .user = "b", .level = HALY_LOG_INFO};
    log_sink_add(&calm);
    assert_int_equal(log_level_wanted, HALY_LOG_ERROR);
    log_sink_add(&eager);
    assert_int_equal(log_level_wanted, HALY_LOG_INFO);
    LOG(HALY_LOG_DEBUG, "x");
    LOG(HALY_LOG_INFO, "y");
    LOG(HALY_LOG_ERROR, "z");
    assert_string_equal(lines, "b3:y b1:z a1:z ");
    log_sink_remove(&eager);
    assert_int_equal(log_level_wanted, HALY_LOG_ERROR);
    LOG(HALY_LOG_INFO, "w");
    log_sink_remove(&calm);
    assert_int_equal(log_level_wanted, HALY_LOG_OFF);
    assert_string_equal(lines, "b3:y b1:z a1:z ");
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    struct log_sink sink = {.fn = keep, .user = "", .level = HALY_LOG_DEBUG};
    log_sink_add(&sink);
    LOG(HALY_LOG_WARN, "vendor says:\n\x1b[31mred\r\n");
    log_sink_remove(&sink);
    assert_string_equal(lines, "2:vendor says:??[31mred?? ");
}

/* What is written to standard error while two instances ask for it. */
static void standard_error_gets_a_line_once(void **state)
{
    (void)state;
    struct log_sink first = {.level = HALY_LOG_WARN}, second = {.level = HALY_LOG_DEBUG};
    char text[256] = "";
    int ends[2];
    fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_sink_add(&first);
    log_sink_add(&second);
    LOG(HALY_LOG_WARN, "careful");
    LOG(HALY_LOG_DEBUG, "detail %d", 7);
    log_sink_remove(&first);
    log_sink_remove(&second);
    LOG(HALY_LOG_ERROR, "after");
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_string_equal(text, "halyard: warn: careful\nhalyard: debug: detail 7\n");
}

static void levels_have_names(void **state)
{
    (void)state;
    haly_log_level level = HALY_LOG_ERROR;
    assert_true(log_level_parse("off", &level));
    assert_int_equal(level, HALY_LOG_OFF);
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, HALY_LOG_DEBUG);
    assert_true(log_level_parse("Warn", &level));
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("*", &level));
    assert_false(log_level_parse("warning", &level));
    assert_int_equal(level, HALY_LOG_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_sink_nothing_is_wanted, forget),
        cmocka_unit_test_setup(each_sink_gets_what_it_wants, forget),
        cmocka_unit_test_setup(a_message_is_one_line, forget),
        cmocka_unit_test_setup(standard_error_gets_a_line_once, forget),
        cmocka_unit_test_setup(levels_have_names, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
