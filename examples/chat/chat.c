/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat with a small language model. This file is the conversation: it reads the model, opens a device through Halyard,
 * and turns prompts into answers. model.c uploads, forward.c computes, the rest is text.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chat_template.h"
#include "forward.h"
#include "options.h"
#include "sampler.h"
#include "text_stream.h"

struct chat {
    struct options options;
    struct gguf *file;
    struct tokenizer *tokenizer;
    struct chat_template template;
    struct text_stream *text;
    struct sampler *sampler;
    haly_instance *instance;
    haly_context *context;
    haly_stream *stream;
    struct model model;
    struct forward *forward;
    struct token_list list; /* the conversation */
    FILE *logits;           /* to be written once, or NULL */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void report(const char *what, uint32_t tokens, double seconds)
{
    fprintf(stderr, "%s %" PRIu32 " tokens %.1f tokens/s\n", what, tokens, seconds > 0 ? tokens / seconds : 0.0);
}

static void show_progress(void *user, uint64_t done, uint64_t total)
{
    uint32_t *shown = user;
    const uint32_t percent = total > 0 ? (uint32_t)(100 * done / total) : 100;
    if (percent / 10 == *shown / 10 || !isatty(STDERR_FILENO))
        return;
    *shown = percent;
    fprintf(stderr, "\rloading %3" PRIu32 " %%", percent);
    if (percent == 100)
        fputs("\r               \r", stderr);
}

static bool open_device(struct chat *chat, struct chat_error *error)
{
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .name = "chat",
                                    .flags = chat->options.is_movable ? HALY_CONTEXT_MOVABLE : 0};
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    haly_device_spec spec = {HALY_DEVICE_SPEC_INIT};
    if (!model_check(haly_instance_create(NULL, &chat->instance), "Halyard", error) ||
        !model_check(haly_context_open(chat->instance, &desc, &chat->context), "opening a device", error) ||
        !model_check(haly_stream_create(chat->context, NULL, &chat->stream), "creating a stream", error) ||
        !model_check(haly_context_info_get(chat->context, &info), "the context", error) ||
        !model_check(haly_device_spec_get(info.device, &spec), "the device", error))
        return false;
    fprintf(stderr, "device %s:%" PRIu32 " %s (%s)\n", spec.backend, spec.index, spec.name, spec.architecture);
    return true;
}

static bool open_model(struct chat *chat, struct chat_error *error)
{
    const struct forward_choice choice = {chat->options.is_greedy, chat->options.temperature};
    const double start = now();
    uint32_t shown = 0;
    if (!model_load(chat->file, chat->context, chat->stream, chat->options.context, show_progress, &shown, &chat->model,
                    error))
        return false;
    if (tokenizer_size(chat->tokenizer) != (int64_t)chat->model.sizes.vocabulary)
        return CHAT_FAIL(error, "%s: %" PRId32 " tokens, but the embedding has %" PRIu32 " rows",
                         gguf_label(chat->file), tokenizer_size(chat->tokenizer), chat->model.sizes.vocabulary);
    if (!forward_create(&chat->model, &choice, &chat->forward, error))
        return false;
    fprintf(stderr, "load %.1f MB %.2f s\n", (double)chat->model.weight_bytes / 1e6, now() - start);
    return true;
}

static bool open_file(struct chat *chat, struct chat_error *error)
{
    if (gguf_open(chat->options.model, &chat->file, error))
        return true;
    const size_t used = strlen(error->text);
    if (chat->options.has_default_model)
        snprintf(error->text + used, sizeof error->text - used, "; ci/setup fetches it, --model names another");
    return false;
}

static bool open_logits(struct chat *chat, struct chat_error *error)
{
    if (chat->options.logits == NULL)
        return true;
    chat->logits = fopen(chat->options.logits, "wb");
    return chat->logits != NULL || CHAT_FAIL(error, "%s: %s", chat->options.logits, strerror(errno));
}

/* Text comes before the device: a wrong prompt or file is told at once. */
static bool chat_open(struct chat *chat, struct chat_error *error)
{
    const struct options *options = &chat->options;
    const struct sampler_options sampling = {options->seed, options->top_k, options->top_p};
    if (!open_file(chat, error) || !tokenizer_create(chat->file, &chat->tokenizer, error) ||
        !chat_template_init(&chat->template, chat->tokenizer, error) ||
        !text_stream_create(chat->tokenizer, &chat->text, error) ||
        !sampler_create(&sampling, tokenizer_size(chat->tokenizer), &chat->sampler, error) ||
        !chat_template_open(&chat->template, options->system, &chat->list, error))
        return false;
    if (options->prompt != NULL &&
        !chat_template_user(&chat->template, options->prompt, strlen(options->prompt), &chat->list, error))
        return false;
    return open_logits(chat, error) && open_device(chat, error) && open_model(chat, error);
}

static void chat_close(struct chat *chat)
{
    if (chat->logits != NULL)
        fclose(chat->logits);
    forward_destroy(chat->forward);
    model_unload(&chat->model);
    haly_context_release(chat->context);
    haly_instance_release(chat->instance);
    sampler_destroy(chat->sampler);
    text_stream_destroy(chat->text);
    token_list_free(&chat->list);
    tokenizer_destroy(chat->tokenizer);
    gguf_close(chat->file);
}

static bool write_logits(struct chat *chat, struct chat_error *error)
{
    const size_t count = chat->model.sizes.vocabulary;
    FILE *file = chat->logits;
    if (file == NULL)
        return true;
    float *logits = calloc(count, sizeof *logits);
    if (logits == NULL)
        return CHAT_FAIL(error, "out of memory for the logits");
    const bool is_known = forward_logits(chat->forward, logits, error);
    bool is_written = is_known && fwrite(logits, sizeof *logits, count, file) == count;
    is_written = fclose(file) == 0 && is_written;
    chat->logits = NULL;
    free(logits);
    return is_written || (is_known && CHAT_FAIL(error, "%s: %s", chat->options.logits, strerror(errno)));
}

static bool choose(struct chat *chat, int32_t *out_token, struct chat_error *error)
{
    if (!chat->options.is_greedy)
        return sampler_choose(chat->sampler, forward_probabilities(chat->forward), out_token, error);
    *out_token = forward_best(chat->forward);
    if (*out_token < 0 || *out_token >= tokenizer_size(chat->tokenizer))
        return CHAT_FAIL(error, "the device chose token %" PRId32 ", which does not exist", *out_token);
    return true;
}

/* At once, so that the answer can be watched. */
static bool show(const char *text, size_t size, struct chat_error *error)
{
    return (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0) ||
           CHAT_FAIL(error, "the answer cannot be written: %s", strerror(errno));
}

static bool is_full(const struct chat *chat)
{
    return forward_length(chat->forward) == chat->model.sizes.capacity;
}

static bool finish_answer(struct chat *chat, struct chat_error *error)
{
    const struct gguf_string rest = text_stream_finish(chat->text);
    return show(rest.text, rest.size, error) && show("\n", 1, error);
}

/* Generates until the model ends its turn, the limit, or the end of the context. */
static bool generate(struct chat *chat, uint32_t *out_count, struct chat_error *error)
{
    int32_t token = 0;
    uint32_t count = 0;
    for (; count < chat->options.max_tokens; count++) {
        if (!choose(chat, &token, error))
            return false;
        if (chat->options.shows_tokens)
            fprintf(stderr, "token %" PRId32 "\n", token);
        if (chat_template_is_end(&chat->template, token))
            break;
        if (!token_list_add(&chat->list, token, error))
            return false;
        const struct gguf_string text = text_stream_add(chat->text, token);
        if (!show(text.text, text.size, error))
            return false;
        if (count + 1 == chat->options.max_tokens || is_full(chat)) {
            count++;
            break;
        }
        if (!forward_run(chat->forward, &token, 1, error))
            return false;
    }
    *out_count = count;
    return finish_answer(chat, error);
}

/* Runs the model over what the list has beyond the cache, then answers. */
static bool answer(struct chat *chat, struct chat_error *error)
{
    const uint32_t known = forward_length(chat->forward);
    const uint32_t fresh = (uint32_t)chat->list.count - known;
    uint32_t count = 0;
    const double start = now();
    if (chat->options.shows_tokens)
        for (size_t i = known; i < chat->list.count; i++)
            fprintf(stderr, "prompt %" PRId32 "\n", chat->list.tokens[i]);
    if (!forward_run(chat->forward, chat->list.tokens + known, fresh, error) || !write_logits(chat, error))
        return false;
    const double middle = now();
    if (!generate(chat, &count, error))
        return false;
    report("prefill", fresh, middle - start);
    report("decode", count, now() - middle);
    if (is_full(chat))
        fprintf(stderr, "chat: the context of %" PRIu32 " tokens is full (see --context)\n",
                chat->model.sizes.capacity);
    return true;
}

static bool converse(struct chat *chat, struct chat_error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    bool is_good = true;
    while (is_good && !is_full(chat)) {
        if (isatty(STDIN_FILENO))
            fputs("> ", stderr);
        const ssize_t length = getline(&line, &capacity, stdin);
        if (length <= 0 || line[0] == '\n')
            break;
        const size_t size = (size_t)length - (line[length - 1] == '\n');
        struct chat_error mistake;
        if (!chat_template_user(&chat->template, line, size, &chat->list, &mistake)) {
            fprintf(stderr, "chat: %s\n", mistake.text); /* the conversation goes on */
            continue;
        }
        is_good =
            answer(chat, error) && (is_full(chat) || chat_template_close_answer(&chat->template, &chat->list, error));
    }
    free(line);
    return is_good;
}

int main(int argc, char **argv)
{
    struct chat chat = {0};
    struct chat_error error = {{0}};
    if (!options_parse(argc, argv, &chat.options, &error)) {
        fprintf(stderr, "chat: %s\n", error.text);
        return 2;
    }
    if (chat.options.is_help)
        return fputs(options_help, stdout) < 0 || fflush(stdout) != 0;
    const bool is_good =
        chat_open(&chat, &error) && (chat.options.prompt != NULL ? answer(&chat, &error) : converse(&chat, &error));
    if (!is_good)
        fprintf(stderr, "chat: %s\n", error.text);
    chat_close(&chat);
    return is_good ? 0 : 1;
}
