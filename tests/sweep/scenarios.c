/* SPDX-License-Identifier: Apache-2.0 */
/* All scenarios: a body each, and where it runs. */
#include "scenario.h"

#define CPU                                                                                                            \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "cpu.threads", "2"                                                                                         \
        }                                                                                                              \
    }
#define STRICT                                                                                                         \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "cpu.strict", "1"                                                                                          \
        }                                                                                                              \
    }
#define LIMITED                                                                                                        \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "mem_limit", "8MiB"                                                                                        \
        }                                                                                                              \
    }
#define ONEDNN                                                                                                         \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "cpu.onednn", "1"                                                                                          \
        }                                                                                                              \
    }
#define PORTABLE                                                                                                       \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "cpu.isa", "baseline"                                                                                      \
        }                                                                                                              \
    }
/* Capabilities as in tests/unit/manual_fixture.h: the core stages, defers and waits in place of the device. */
#define BARE                                                                                                           \
    "manual",                                                                                                          \
    {                                                                                                                  \
        {                                                                                                              \
            "manual.caps", "640"                                                                                       \
        }                                                                                                              \
    }
#define NATIVE                                                                                                         \
    "manual",                                                                                                          \
    {                                                                                                                  \
        {                                                                                                              \
            "manual.caps", "653"                                                                                       \
        }                                                                                                              \
    }
/* A finding of the validation layer's would be a false one, and fails its call. */
#define WATCHED                                                                                                        \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {"layers", "validate"},                                                                                        \
        {                                                                                                              \
            "validate", "fail"                                                                                         \
        }                                                                                                              \
    }
#define WATCHED_BARE                                                                                                   \
    "manual",                                                                                                          \
    {                                                                                                                  \
        {"manual.caps", "640"}, {"layers", "validate"},                                                                \
        {                                                                                                              \
            "validate", "fail"                                                                                         \
        }                                                                                                              \
    }
#define TRACED                                                                                                         \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "layers", "trace"                                                                                          \
        }                                                                                                              \
    }
#define TRACED_BARE                                                                                                    \
    "manual",                                                                                                          \
    {                                                                                                                  \
        {"manual.caps", "640"},                                                                                        \
        {                                                                                                              \
            "layers", "trace"                                                                                          \
        }                                                                                                              \
    }
#define LAYERED                                                                                                        \
    "cpu",                                                                                                             \
    {                                                                                                                  \
        {                                                                                                              \
            "layers", "validate,trace"                                                                                 \
        }                                                                                                              \
    }
#define ANY                                                                                                            \
    NULL,                                                                                                              \
    {                                                                                                                  \
        {                                                                                                              \
            "backend", "^template"                                                                                     \
        }                                                                                                              \
    } /* the best of those that can do something */

const struct scenario scenarios[] = {
    {"instance.any", run_instance, ANY, 0, false, false},
    {"instance.named", run_instance, CPU, 0, false, false},
    {"instance.policy", run_instance_with_policy, ANY, 0, false, false},
    {"instance.bad-policy", run_instance_with_bad_policy, ANY, 0, false, false},
    {"instance.several", run_instance_with_several_backends, ANY, 0, false, false},
    {"instance.bad-backends", run_instance_with_bad_backends, ANY, 0, false, false},
    {"instance.twice", run_instances_twice, CPU, 0, false, false},
    {"device.any", run_devices, ANY, 0, false, false},
    {"device.named", run_devices, CPU, 0, false, false},
    {"context.ordinary", run_context, CPU, 0, false, false},
    {"context.movable", run_context, CPU, HALY_CONTEXT_MOVABLE, false, false},
    {"context.strict", run_context, STRICT, 0, false, false},
    {"context.unnamed", run_context, ANY, 0, false, false},
    {"stream.cpu", run_streams, CPU, 0, false, false},
    {"stream.bare", run_streams, BARE, 0, false, false},
    {"event.cpu", run_events, CPU, 0, false, false},
    {"event.bare", run_events, BARE, 0, false, false},
    {"event.across", run_events_across_contexts, CPU, 0, false, false},
    {"event.across-bare", run_events_across_contexts, BARE, 0, false, false},
    {"memory.ordinary", run_memory, CPU, 0, false, false},
    {"memory.movable", run_memory, CPU, HALY_CONTEXT_MOVABLE, false, false},
    {"memory.strict", run_memory, STRICT, 0, false, false},
    {"memory.bare", run_memory, BARE, 0, false, false},
    {"memory.limit", run_memory_with_limit, LIMITED, 0, false, false},
    {"memory.ordered", run_memory_in_stream_order, CPU, 0, false, false},
    {"memory.ordered-bare", run_memory_in_stream_order, BARE, 0, false, false},
    {"host-memory.cpu", run_host_memory, CPU, 0, false, false},
    {"host-memory.strict", run_host_memory, STRICT, 0, false, false},
    {"host-memory.bare", run_host_memory, BARE, 0, false, false},
    {"copy.ordinary", run_copies, CPU, 0, false, false},
    {"copy.movable", run_copies, CPU, HALY_CONTEXT_MOVABLE, false, false},
    {"copy.strict", run_copies, STRICT, 0, false, false},
    {"copy.bare", run_copies, BARE, 0, false, false},
    {"copy.across", run_copies_across_contexts, CPU, 0, false, false},
    {"copy.across-bare", run_copies_across_contexts, BARE, 0, false, false},
    {"host-call.cpu", run_host_calls, CPU, 0, false, false},
    {"host-call.bare", run_host_calls, BARE, 0, false, false},
    {"module.file", run_module, CPU, 0, false, false},
    {"module.movable", run_module, CPU, HALY_CONTEXT_MOVABLE, false, false},
    {"module.memory", run_module_from_memory, CPU, 0, false, false},
    {"module.source", run_module_from_source, CPU, 0, false, false},
    {"plan.cpu", run_plans, CPU, 0, false, false},
    {"plan.strict", run_plans, STRICT, 0, false, false},
    {"operator.cpu", run_operators, CPU, 0, false, false},
    {"operator.strict", run_operators, STRICT, 0, false, false},
    {"operator.portable", run_operators, PORTABLE, 0, false, false},
    {"matmul.onednn", run_large_matmul, ONEDNN, 0, false, false},
    {"matmul.auto", run_large_matmul, CPU, 0, false, false},
    {"graph.cpu", run_graph, CPU, 0, false, false},
    {"graph.strict", run_graph, STRICT, 0, false, false},
    {"graph.two-streams", run_graph_on_two_streams, CPU, 0, false, false},
    {"graph.two-streams-bare", run_graph_on_two_streams, BARE, 0, false, false},
    {"interop.cpu", run_interop, CPU, 0, false, false},
    {"fork.cpu", run_fork, CPU, 0, false, false},
    {"fork.bare", run_fork, BARE, 0, false, false},
    {"release.odd-order", run_release_in_odd_order, CPU, 0, false, false},
    {"release.odd-order-strict", run_release_in_odd_order, STRICT, 0, false, false},
    {"release.busy", run_release_while_busy, CPU, 0, false, false},
    {"release.busy-bare", run_release_while_busy, BARE, 0, false, false},
    {"abandon.cpu", run_abandon, CPU, 0, false, true},
    {"abandon.bare", run_abandon, BARE, 0, false, true},
    {"shutdown.cpu", run_shutdown, CPU, 0, true, false},
    {"shutdown.native", run_shutdown, NATIVE, 0, true, false},
    {"stream.watched", run_streams, WATCHED, 0, false, true},
    {"stream.traced", run_streams, TRACED, 0, false, false},
    {"event.watched", run_events, WATCHED, 0, false, true},
    {"event.traced", run_events, TRACED, 0, false, false},
    {"event.across-watched", run_events_across_contexts, WATCHED, 0, false, true},
    {"event.across-traced", run_events_across_contexts, TRACED, 0, false, false},
    {"memory.ordered-watched", run_memory_in_stream_order, WATCHED, 0, false, true},
    {"memory.ordered-traced", run_memory_in_stream_order, TRACED, 0, false, false},
    {"host-memory.watched", run_host_memory, WATCHED, 0, false, true},
    {"host-memory.traced", run_host_memory, TRACED, 0, false, false},
    {"copy.across-watched", run_copies_across_contexts, WATCHED, 0, false, true},
    {"copy.across-traced", run_copies_across_contexts, TRACED, 0, false, false},
    {"host-call.watched", run_host_calls, WATCHED, 0, false, true},
    {"host-call.traced", run_host_calls, TRACED, 0, false, false},
    {"plan.watched", run_plans, WATCHED, 0, false, true},
    {"plan.traced", run_plans, TRACED, 0, false, false},
    {"graph.watched", run_graph, WATCHED, 0, false, true},
    {"graph.traced", run_graph, TRACED, 0, false, false},
    {"graph.two-streams-watched", run_graph_on_two_streams, WATCHED, 0, false, true},
    {"graph.two-streams-traced", run_graph_on_two_streams, TRACED, 0, false, false},
    {"fork.watched", run_fork, WATCHED, 0, false, true},
    {"fork.traced", run_fork, TRACED, 0, false, false},
    {"release.busy-watched", run_release_while_busy, WATCHED, 0, false, true},
    {"release.busy-traced", run_release_while_busy, TRACED, 0, false, false},
    {"memory.ordered-watched-bare", run_memory_in_stream_order, WATCHED_BARE, 0, false, true},
    {"memory.ordered-traced-bare", run_memory_in_stream_order, TRACED_BARE, 0, false, false},
    {"event.across-traced-bare", run_events_across_contexts, TRACED_BARE, 0, false, false},
    {"graph.layered", run_graph, LAYERED, 0, false, true},
    {"abandon.traced", run_abandon, TRACED, 0, false, true},
    {"shutdown.layered", run_shutdown, LAYERED, 0, true, true},
    {"chat.text", run_text, ANY, 0, false, false},
    {"chat.model", run_model, CPU, 0, false, false},
};
const uint32_t scenario_count = sizeof scenarios / sizeof *scenarios;
