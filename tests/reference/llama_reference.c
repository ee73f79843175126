/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An evaluation of a llama model that shares nothing with the library or the chat example: it reads the GGUF file by
 * itself, undoes the quantisation weight by weight and computes everything in double precision with plain loops, so
 * that agreement with it is evidence. It favours being obviously right over speed and over kind error messages.
 *
 * llama_reference FILE [--top N | --binary OUT] TOKEN_ID...   logits of the token that follows: one a line, or the N
 * likeliest as "token logit", or as f32 in host byte order in the file OUT.
 */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("llama_reference: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count != 0 ? count : 1, size);
    if (memory == NULL)
        die("out of memory");
    return memory;
}

/* ---- the file ---- */

struct weights { /* one tensor: `rows` rows of `columns` weights */
    char name[65];
    uint32_t type;
    size_t columns;
    size_t rows;
    size_t row_bytes;
    uint64_t offset;
    const unsigned char *data;
};

struct model {
    unsigned char *file;
    size_t file_size;
    size_t at;
    uint64_t tensor_count;
    struct weights *tensors;
    uint32_t alignment, layers, width, heads, kv_heads, feed_forward, rope_dims;
    double rope_base, epsilon;
};

static const unsigned char *next(struct model *model, uint64_t size)
{
    if (size > model->file_size - model->at)
        die("the file ends at byte %zu, but %llu more bytes are expected", model->file_size, (unsigned long long)size);
    const unsigned char *bytes = model->file + model->at;
    model->at += (size_t)size;
    return bytes;
}

static uint64_t next_number(struct model *model, int size)
{
    const unsigned char *bytes = next(model, (uint64_t)size);
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value * 256 + bytes[i];
    return value;
}

static void next_text(struct model *model, char *out_text, size_t room)
{
    uint64_t size = next_number(model, 8);
    const unsigned char *bytes = next(model, size);
    size_t kept = size < room - 1 ? (size_t)size : room - 1;
    memcpy(out_text, bytes, kept);
    out_text[kept] = '\0';
}

static void skip_value(struct model *model, uint32_t type)
{
    static const unsigned char sizes[13] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type > 12)
        die("a value has the unknown type %u", type);
    if (type == 8) {
        next(model, next_number(model, 8));
    } else if (type == 9) {
        uint32_t element = (uint32_t)next_number(model, 4);
        for (uint64_t left = next_number(model, 8); left > 0; left--)
            skip_value(model, element);
    } else {
        next(model, sizes[type]);
    }
}

static double next_float(struct model *model)
{
    uint32_t bits = (uint32_t)next_number(model, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* True when the key is one that matters and its value has been taken. */
static int take_key(struct model *model, const char *key, uint32_t type)
{
    const struct {
        const char *key;
        uint32_t *number;
        double *real;
    } wanted[] = {
        {"general.alignment", &model->alignment, NULL},
        {"llama.block_count", &model->layers, NULL},
        {"llama.embedding_length", &model->width, NULL},
        {"llama.attention.head_count", &model->heads, NULL},
        {"llama.attention.head_count_kv", &model->kv_heads, NULL},
        {"llama.feed_forward_length", &model->feed_forward, NULL},
        {"llama.rope.dimension_count", &model->rope_dims, NULL},
        {"llama.rope.freq_base", NULL, &model->rope_base},
        {"llama.attention.layer_norm_rms_epsilon", NULL, &model->epsilon},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(key, wanted[i].key) != 0)
            continue;
        if (type != (wanted[i].number != NULL ? 4U : 6U))
            die("%s has the type %u", key, type);
        if (wanted[i].number != NULL)
            *wanted[i].number = (uint32_t)next_number(model, 4);
        else
            *wanted[i].real = next_float(model);
        return 1;
    }
    return 0;
}

static void read_keys(struct model *model, uint64_t count)
{
    for (; count > 0; count--) {
        char key[128], text[32];
        next_text(model, key, sizeof key);
        uint32_t type = (uint32_t)next_number(model, 4);
        if (strncmp(key, "llama.rope.scaling", 18) == 0)
            die("%s: rotary scaling is not evaluated here", key);
        if (strcmp(key, "general.architecture") == 0 && type == 8) {
            next_text(model, text, sizeof text);
            if (strcmp(text, "llama") != 0)
                die("the architecture is \"%s\", not \"llama\"", text);
        } else if (!take_key(model, key, type)) {
            skip_value(model, type);
        }
    }
}

static size_t bytes_of_weights(uint32_t type, size_t count)
{
    switch (type) {
    case 0: /* f32 */
        return count * 4;
    case 1:  /* f16 */
    case 30: /* bf16 */
        return count * 2;
    case 2: /* q4_0 */
        return count / 32 * 18;
    case 3: /* q4_1 */
        return count / 32 * 20;
    case 8: /* q8_0 */
        return count / 32 * 34;
    default:
        die("weights have the unknown type %u", type);
    }
}

static void read_tensors(struct model *model)
{
    for (uint64_t i = 0; i < model->tensor_count; i++) {
        struct weights *tensor = &model->tensors[i];
        next_text(model, tensor->name, sizeof tensor->name);
        uint64_t rank = next_number(model, 4);
        tensor->columns = (size_t)next_number(model, 8);
        tensor->rows = rank > 1 ? (size_t)next_number(model, 8) : 1;
        if (rank < 1 || rank > 2 || tensor->columns >= 1U << 28 || tensor->rows >= 1U << 28)
            die("%s has an unexpected shape", tensor->name);
        tensor->type = (uint32_t)next_number(model, 4);
        tensor->offset = next_number(model, 8);
        tensor->row_bytes = bytes_of_weights(tensor->type, tensor->columns);
    }
    size_t start = (model->at + model->alignment - 1) / model->alignment * model->alignment;
    for (uint64_t i = 0; i < model->tensor_count; i++) {
        struct weights *tensor = &model->tensors[i];
        if (start > model->file_size || tensor->offset > model->file_size - start ||
            tensor->rows * tensor->row_bytes > model->file_size - start - tensor->offset)
            die("%s lies outside the file", tensor->name);
        tensor->data = model->file + start + tensor->offset;
    }
}

static void read_file(struct model *model, const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL || fseek(stream, 0, SEEK_END) != 0)
        die("%s cannot be read", path);
    long size = ftell(stream);
    rewind(stream);
    model->file = allocate(size > 0 ? (size_t)size : 1, 1);
    model->file_size = size > 0 ? (size_t)size : 0;
    if (fread(model->file, 1, model->file_size, stream) != model->file_size)
        die("%s cannot be read to its end", path);
    fclose(stream);
}

static void load(struct model *model, const char *path)
{
    *model = (struct model){.alignment = 32, .rope_base = 10000.0};
    read_file(model, path);
    if (memcmp(next(model, 4), "GGUF", 4) != 0)
        die("%s is not a GGUF file", path);
    uint64_t version = next_number(model, 4);
    if (version != 2 && version != 3)
        die("the file has version %llu", (unsigned long long)version);
    model->tensor_count = next_number(model, 8);
    uint64_t keys = next_number(model, 8);
    if (model->tensor_count > model->file_size)
        die("the file cannot hold as many tensors as it says");
    model->tensors = allocate((size_t)model->tensor_count, sizeof model->tensors[0]);
    read_keys(model, keys);
    if (model->kv_heads == 0)
        model->kv_heads = model->heads;
    if (model->layers == 0 || model->heads == 0 || model->width % model->heads != 0 || model->feed_forward == 0 ||
        model->heads % model->kv_heads != 0 || !(model->epsilon > 0.0) || model->alignment == 0)
        die("the sizes in the metadata do not fit together");
    if (model->rope_dims == 0)
        model->rope_dims = model->width / model->heads;
    if (model->rope_dims > model->width / model->heads || model->rope_dims % 2 != 0)
        die("%u rotated dimensions do not fit a head", model->rope_dims);
    read_tensors(model);
}

static const struct weights *find(const struct model *model, const char *name)
{
    for (uint64_t i = 0; i < model->tensor_count; i++)
        if (strcmp(model->tensors[i].name, name) == 0)
            return &model->tensors[i];
    return NULL;
}

static const struct weights *get(const struct model *model, const char *name, size_t columns, size_t rows)
{
    const struct weights *tensor = find(model, name);
    if (tensor == NULL)
        die("there is no tensor %s", name);
    if (tensor->columns != columns || tensor->rows != rows)
        die("%s is %zu x %zu, not %zu x %zu", name, tensor->columns, tensor->rows, columns, rows);
    return tensor;
}

static const struct weights *get_of_layer(const struct model *model, uint32_t layer, const char *part, size_t columns,
                                          size_t rows)
{
    char name[65];
    snprintf(name, sizeof name, "blk.%u.%s.weight", layer, part);
    return get(model, name, columns, rows);
}

/* ---- numbers ---- */

static double half_to_double(const unsigned char *bytes)
{
    unsigned bits = bytes[0] + 256U * bytes[1];
    int exponent = (int)(bits >> 10 & 31);
    double mantissa = bits & 1023;
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa == 0.0 ? HUGE_VAL : NAN)
                                    : ldexp(1024.0 + mantissa, exponent - 25);
    return bits >> 15 != 0 ? -value : value;
}

static double f32_to_double(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* Blocks of 32: low nibbles are weights 0 to 15, high nibbles 16 to 31. */
static double nibble(const unsigned char *packed, size_t index)
{
    return index < 16 ? packed[index] & 15 : packed[index - 16] >> 4;
}

static double weight_at(const struct weights *tensor, const unsigned char *row, size_t column)
{
    const unsigned char *at;
    size_t block = column / 32;
    size_t index = column % 32;
    switch (tensor->type) {
    case 0:
        at = row + 4 * column;
        return f32_to_double(at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
    case 1:
        return half_to_double(row + 2 * column);
    case 30: /* the upper half of an f32 */
        at = row + 2 * column;
        return f32_to_double((uint32_t)at[0] << 16 | (uint32_t)at[1] << 24);
    case 2:
        at = row + 18 * block;
        return half_to_double(at) * (nibble(at + 2, index) - 8.0);
    case 3:
        at = row + 20 * block;
        return half_to_double(at) * nibble(at + 4, index) + half_to_double(at + 2);
    default: /* q8_0; bytes_of_weights has refused the rest */
        at = row + 34 * block;
        return half_to_double(at) * (at[2 + index] < 128 ? at[2 + index] : at[2 + index] - 256.0);
    }
}

static void read_row(const struct weights *tensor, size_t row, double *out_row)
{
    for (size_t i = 0; i < tensor->columns; i++)
        out_row[i] = weight_at(tensor, tensor->data + row * tensor->row_bytes, i);
}

/* out[t][r] = sum over c of in[t][c] * weights[r][c] */
static void multiply(const struct weights *tensor, const double *in, size_t tokens, double *out)
{
    double *row = allocate(tensor->columns, sizeof row[0]);
    for (size_t r = 0; r < tensor->rows; r++) {
        read_row(tensor, r, row);
        for (size_t t = 0; t < tokens; t++) {
            double sum = 0.0;
            for (size_t c = 0; c < tensor->columns; c++)
                sum += in[t * tensor->columns + c] * row[c];
            out[t * tensor->rows + r] = sum;
        }
    }
    free(row);
}

static void normalise(const struct model *model, const struct weights *scale, const double *in, size_t tokens,
                      double *out)
{
    size_t width = model->width;
    double *row = allocate(width, sizeof row[0]);
    read_row(scale, 0, row);
    for (size_t t = 0; t < tokens; t++) {
        double squares = 0.0;
        for (size_t i = 0; i < width; i++)
            squares += in[t * width + i] * in[t * width + i];
        double factor = 1.0 / sqrt(squares / (double)width + model->epsilon);
        for (size_t i = 0; i < width; i++)
            out[t * width + i] = in[t * width + i] * factor * row[i];
    }
    free(row);
}

/* Llama files in GGUF rotate neighbours, x[2i] with x[2i+1]. */
static void rotate(const struct model *model, double *vectors, size_t tokens, size_t heads)
{
    size_t head_size = model->width / model->heads;
    for (size_t t = 0; t < tokens; t++)
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < model->rope_dims; i += 2) {
                double *pair = vectors + (t * heads + h) * head_size + i;
                double angle = (double)t * pow(model->rope_base, -(double)i / model->rope_dims);
                double x = pair[0];
                double y = pair[1];
                pair[0] = x * cos(angle) - y * sin(angle);
                pair[1] = x * sin(angle) + y * cos(angle);
            }
}

/* ---- the layers ---- */

/* One head of one token over itself and all tokens before it; keys and values are `stride` apart. */
static void attend(const double *query, const double *keys, const double *values, size_t tokens, size_t stride,
                   size_t head_size, double *out)
{
    double *shares = allocate(tokens, sizeof shares[0]);
    double largest = -HUGE_VAL;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < head_size; i++)
            shares[t] += query[i] * keys[t * stride + i];
        shares[t] /= sqrt((double)head_size);
        largest = fmax(largest, shares[t]);
    }
    double sum = 0.0;
    for (size_t t = 0; t < tokens; t++) {
        shares[t] = exp(shares[t] - largest);
        sum += shares[t];
    }
    for (size_t i = 0; i < head_size; i++) {
        out[i] = 0.0;
        for (size_t t = 0; t < tokens; t++)
            out[i] += shares[t] / sum * values[t * stride + i];
    }
    free(shares);
}

static void add(double *x, const double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] += y[i];
}

static void attention_part(const struct model *model, uint32_t layer, double *x, size_t tokens)
{
    size_t width = model->width;
    size_t head_size = width / model->heads;
    size_t kv_width = head_size * model->kv_heads;
    double *normed = allocate(tokens * width, sizeof normed[0]);
    double *query = allocate(tokens * width, sizeof query[0]);
    double *key = allocate(tokens * kv_width, sizeof key[0]);
    double *value = allocate(tokens * kv_width, sizeof value[0]);

    normalise(model, get_of_layer(model, layer, "attn_norm", width, 1), x, tokens, normed);
    multiply(get_of_layer(model, layer, "attn_q", width, width), normed, tokens, query);
    multiply(get_of_layer(model, layer, "attn_k", width, kv_width), normed, tokens, key);
    multiply(get_of_layer(model, layer, "attn_v", width, kv_width), normed, tokens, value);
    rotate(model, query, tokens, model->heads);
    rotate(model, key, tokens, model->kv_heads);
    for (size_t t = 0; t < tokens; t++)
        for (size_t h = 0; h < model->heads; h++) {
            size_t kv = h / (model->heads / model->kv_heads) * head_size;
            attend(query + t * width + h * head_size, key + kv, value + kv, t + 1, kv_width, head_size,
                   normed + t * width + h * head_size);
        }
    multiply(get_of_layer(model, layer, "attn_output", width, width), normed, tokens, query);
    add(x, query, tokens * width);
    free(normed);
    free(query);
    free(key);
    free(value);
}

static void feed_forward_part(const struct model *model, uint32_t layer, double *x, size_t tokens)
{
    size_t width = model->width;
    size_t inner = model->feed_forward;
    double *normed = allocate(tokens * width, sizeof normed[0]);
    double *gate = allocate(tokens * inner, sizeof gate[0]);
    double *up = allocate(tokens * inner, sizeof up[0]);

    normalise(model, get_of_layer(model, layer, "ffn_norm", width, 1), x, tokens, normed);
    multiply(get_of_layer(model, layer, "ffn_gate", width, inner), normed, tokens, gate);
    multiply(get_of_layer(model, layer, "ffn_up", width, inner), normed, tokens, up);
    for (size_t i = 0; i < tokens * inner; i++)
        gate[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
    multiply(get_of_layer(model, layer, "ffn_down", inner, width), gate, tokens, normed);
    add(x, normed, tokens * width);
    free(normed);
    free(gate);
    free(up);
}

static double *evaluate(const struct model *model, const size_t *tokens, size_t count, size_t *out_size)
{
    const struct weights *embedding = find(model, "token_embd.weight");
    if (embedding == NULL || embedding->columns != model->width)
        die("there is no fitting token_embd.weight");
    if (find(model, "rope_freqs.weight") != NULL || find(model, "blk.0.attn_q.bias") != NULL)
        die("the model has parts that are not evaluated here");
    double *x = allocate(count * model->width, sizeof x[0]);
    for (size_t t = 0; t < count; t++) {
        if (tokens[t] >= embedding->rows)
            die("the vocabulary has %zu tokens, no %zu", embedding->rows, tokens[t]);
        read_row(embedding, tokens[t], x + t * model->width);
    }
    for (uint32_t layer = 0; layer < model->layers; layer++) {
        attention_part(model, layer, x, count);
        feed_forward_part(model, layer, x, count);
    }

    double *last = x + (count - 1) * model->width;
    normalise(model, get(model, "output_norm.weight", model->width, 1), last, 1, last);
    const struct weights *head =
        find(model, "output.weight") != NULL ? get(model, "output.weight", model->width, embedding->rows) : embedding;
    double *logits = allocate(head->rows, sizeof logits[0]);
    multiply(head, last, 1, logits);
    free(x);
    *out_size = head->rows;
    return logits;
}

/* ---- the program ---- */

static void print_top(double *logits, size_t size, unsigned long top)
{
    for (; top > 0; top--) {
        size_t best = 0;
        for (size_t i = 1; i < size; i++)
            if (logits[i] > logits[best])
                best = i;
        if (logits[best] == -HUGE_VAL)
            return;
        printf("%zu %.9g\n", best, logits[best]);
        logits[best] = -HUGE_VAL;
    }
}

static void write_binary(const double *logits, size_t size, const char *path)
{
    FILE *stream = fopen(path, "wb");
    if (stream == NULL)
        die("%s cannot be written", path);
    for (size_t i = 0; i < size; i++) {
        float value = (float)logits[i];
        if (fwrite(&value, sizeof value, 1, stream) != 1)
            die("%s cannot be written", path);
    }
    if (fclose(stream) != 0)
        die("%s cannot be written", path);
}

static unsigned long number(const char *text)
{
    char *end;
    unsigned long value = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != '\0' || *text == '-')
        die("expected a number, found \"%s\"", text != NULL ? text : "");
    return value;
}

int main(int argc, char **argv)
{
    const char *binary = NULL;
    unsigned long top = 0;
    int first = 2;
    if (argc > 4 && strcmp(argv[2], "--binary") == 0)
        binary = argv[3];
    else if (argc > 4 && strcmp(argv[2], "--top") == 0)
        top = number(argv[3]);
    if (binary != NULL || top != 0)
        first = 4;
    if (argc <= first)
        die("usage: llama_reference FILE [--top N | --binary OUT] TOKEN_ID...");

    struct model model;
    size_t count = (size_t)(argc - first);
    size_t size;
    size_t *tokens = allocate(count, sizeof tokens[0]);
    for (size_t i = 0; i < count; i++)
        tokens[i] = number(argv[first + (int)i]);
    load(&model, argv[1]);
    double *logits = evaluate(&model, tokens, count, &size);
    if (binary != NULL)
        write_binary(logits, size, binary);
    else if (top != 0)
        print_top(logits, size, top);
    else
        for (size_t i = 0; i < size; i++)
            printf("%.9g\n", logits[i]);
    free(logits);
    free(tokens);
    free(model.tensors);
    free(model.file);
    return 0;
}
