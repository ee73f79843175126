/* SPDX-License-Identifier: Apache-2.0 */
/* An outside program in C++11: launches a kernel that was compiled with the installed package, then runs an operator.
 */
#include <halyard/halyard.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace
{

/* Turns a status into control flow; the thread's error detail stays for main() to print. */
struct Failure {
};

void check(haly_status status)
{
    if (status != HALY_OK)
        throw Failure();
}

std::vector<float> square_roots(haly_context *context, const char *module_path)
{
    std::vector<float> host(1000);
    haly_stream *stream = nullptr;
    haly_module *module = nullptr;
    haly_kernel *kernel = nullptr;
    void *y = nullptr;
    const uint64_t n = host.size();
    check(haly_stream_create(context, nullptr, &stream));
    check(haly_module_load_file(context, module_path, &module));
    check(haly_kernel_get(module, "fill_index", &kernel));
    check(haly_malloc(context, n * sizeof(float), nullptr, &y));
    const haly_arg arguments[] = {{&y, sizeof y}, {&n, sizeof n}};
    check(haly_launch_1d(stream, kernel, n, 0, arguments, 2, sizeof *arguments));
    const haly_tensor tensor = haly_f32_1d(y, static_cast<int64_t>(n));
    check(haly_op_unary(stream, "Sqrt", tensor, tensor));
    check(haly_copy(stream, host.data(), y, n * sizeof(float)));
    check(haly_stream_sync(stream, HALY_FOREVER));
    haly_kernel_release(kernel);
    haly_module_release(module);
    return host;
}

} // namespace

int main(int argc, char **argv)
{
    haly_instance *instance = nullptr;
    haly_context *context = nullptr;
    int result = 1;
    if (argc != 2) {
        std::fprintf(stderr, "usage: outside MODULE\n");
        return 2;
    }
    try {
        check(haly_instance_create(nullptr, &instance));
        haly_context_desc desc = HALY_ZERO;
        desc.struct_size = HALY_CONTEXT_DESC_INIT;
        desc.name = "outside";
        check(haly_context_open(instance, &desc, &context));
        const std::vector<float> host = square_roots(context, argv[1]);
        std::printf("%s %g\n", haly_version_text(), static_cast<double>(host[900]));
        result = std::fabs(host[900] - 30.0F) < 1e-5F ? 0 : 1;
    } catch (const Failure &) {
        haly_error_print(stderr);
    }
    haly_context_release(context);
    haly_instance_release(instance);
    return result;
}
