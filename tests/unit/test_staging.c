/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that the service does in the core's place: what they touch, and what is left when one fails. On the manual
 * backend, whose device memory the host could reach by mistake. */
#define _GNU_SOURCE
#include <unistd.h>

#include "manual_fixture.h"

static void device_memory_of_others_is_staged_too(void **state)
{
    (void)state;
    struct fixture f;
    static char foreign[4096], in[64] = "there and back", out[64];
    open_fixture(&f, CAPS_NO_HELP);
    struct manual_device *device = device_of(f.context);
    device->foreign = foreign;
    device->foreign_copies = 0;
    assert_int_equal(haly_copy(f.stream, foreign, in, sizeof in), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(device->foreign_copies, 1);
    assert_int_equal(haly_copy(f.stream, out, foreign, sizeof out), HALY_OK);
    assert_int_equal(haly_stream_sync(f.stream, 20ULL * SECOND), HALY_OK);
    assert_int_equal(device->foreign_copies, 2);
    assert_string_equal(out, in);
    device->foreign = NULL;
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_memory_of_others_is_staged_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
