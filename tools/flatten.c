/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Line by line: only directives are looked at, and only their first words. */
#include "flatten.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define PATH_BYTES 4096
#define NAME_BYTES 256
#define NAMES_MAX 256
#define TEXT_MAX ((size_t)64 << 20)

/* A file being expanded. */
struct source {
    const char *name; /* as it was written */
    char path[PATH_BYTES];
    char *text; /* without comments */
    unsigned line;
    int conditions; /* #if and the like that are open, the guard not counted */
    bool is_guarded;
    struct source *from;
};

/* #define NAME "file" */
struct definition {
    char name[NAME_BYTES], value[NAME_BYTES];
};

struct flattener {
    const char *const *folders;
    size_t folder_count;
    char *out;
    size_t size, room;
    char *done[NAMES_MAX]; /* paths of guarded files that were expanded unconditionally */
    size_t done_count;
    struct definition definitions[NAMES_MAX];
    size_t definition_count;
    char *why;
    size_t why_size;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct flattener *self, const struct source *at,
                                                         const char *format, ...)
{
    va_list arguments;
    const int start = at != NULL ? snprintf(self->why, self->why_size, "%s:%u: ", at->path, at->line) : 0;
    if (start >= 0 && (size_t)start < self->why_size) {
        va_start(arguments, format);
        vsnprintf(self->why + start, self->why_size - (size_t)start, format, arguments);
        va_end(arguments);
    }
    return false;
}

static bool put(struct flattener *self, const char *text, size_t length)
{
    if (self->size + length + 1 > self->room) {
        const size_t room = 2 * (self->size + length + 1);
        char *grown = room <= TEXT_MAX ? realloc(self->out, room) : NULL;
        if (grown == NULL)
            return refuse(self, NULL, "no room for a text of %zu bytes", self->size + length);
        self->out = grown;
        self->room = room;
    }
    memcpy(self->out + self->size, text, length);
    self->size += length;
    self->out[self->size] = '\0';
    return true;
}

/* ---- reading ---- */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0, got;
    if (file == NULL)
        return NULL;
    do {
        char *grown = size < TEXT_MAX ? realloc(text, size + 65537) : NULL;
        if (grown == NULL) {
            free(text);
            fclose(file);
            errno = ENOMEM;
            return NULL;
        }
        text = grown;
        got = fread(text + size, 1, 65536, file);
        size += got;
    } while (got == 65536);
    const bool is_bad = ferror(file) != 0 || memchr(text, '\0', size) != NULL;
    fclose(file);
    if (is_bad) {
        free(text);
        errno = EIO;
        return NULL;
    }
    text[size] = '\0';
    return text;
}

/* Copies a quoted text from *from to *to. */
static void copy_quoted(const char **from, char **to)
{
    const char quote = **from;
    *(*to)++ = *(*from)++;
    while (**from != '\0' && **from != quote && **from != '\n') {
        if (**from == '\\' && (*from)[1] != '\0' && (*from)[1] != '\n')
            *(*to)++ = *(*from)++;
        *(*to)++ = *(*from)++;
    }
    if (**from == quote)
        *(*to)++ = *(*from)++;
}

/* Blanks run together, and none stands at either end of a line. */
static void put_plain(const char *text, char **to, char letter)
{
    const bool is_start = *to == text || (*to)[-1] == '\n', is_blank = letter == ' ' || letter == '\t';
    if (letter == '\r' || (is_blank && (is_start || (*to)[-1] == ' ')))
        return;
    if (letter == '\n' && !is_start && (*to)[-1] == ' ')
        (*to)--;
    *(*to)++ = is_blank ? ' ' : letter;
}

/* In place: a comment becomes a blank, and its line ends stay. */
static void strip_comments(char *text)
{
    const char *from = text;
    char *to = text;
    while (*from != '\0') {
        if (*from == '"' || *from == '\'') {
            copy_quoted(&from, &to);
        } else if (from[0] == '/' && from[1] == '/') {
            from += strcspn(from, "\n");
        } else if (from[0] == '/' && from[1] == '*') {
            put_plain(text, &to, ' ');
            for (from += 2; *from != '\0' && !(from[0] == '*' && from[1] == '/'); from++)
                if (*from == '\n')
                    put_plain(text, &to, '\n');
            from += *from != '\0' ? 2 : 0;
        } else {
            put_plain(text, &to, *from++);
        }
    }
    *to = '\0';
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* What stands behind a directive's name when the line is that directive, else NULL. */
static const char *directive(const char *line, const char *name)
{
    line = skip_blanks(line);
    if (*line != '#')
        return NULL;
    line = skip_blanks(line + 1);
    const size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || (line[length] != '\0' && strchr(" \t\n\"<", line[length]) == NULL))
        return NULL;
    return skip_blanks(line + length);
}

/* The first line that holds anything. */
static const char *first_line(const char *text)
{
    while (*text != '\0') {
        const char *at = skip_blanks(text);
        if (*at != '\n' && *at != '\r')
            return text;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return text;
}

/* Begins with #ifndef NAME and #define NAME. */
static bool has_guard(const char *text)
{
    const char *first = first_line(text), *name = directive(first, "ifndef");
    if (name == NULL)
        return false;
    const char *second = first_line(first + strcspn(first, "\n")), *defined = directive(second, "define");
    const size_t length = strcspn(name, " \t\r\n");
    return defined != NULL && strncmp(name, defined, length) == 0 && strcspn(defined, " \t\r\n") == length;
}

/* ---- names ---- */

static bool is_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file != NULL)
        fclose(file);
    return file != NULL;
}

/* Where an included file lies; false when it is in none of the places. */
static bool find_file(const struct flattener *self, const struct source *from, const char *name, bool is_quoted,
                      char path[PATH_BYTES])
{
    const char *slash = strrchr(from->path, '/');
    const int beside = slash != NULL ? (int)(slash - from->path) + 1 : 0;
    if (is_quoted && snprintf(path, PATH_BYTES, "%.*s%s", beside, from->path, name) < PATH_BYTES && is_file(path))
        return true;
    for (size_t i = 0; i < self->folder_count; i++)
        if (snprintf(path, PATH_BYTES, "%s/%s", self->folders[i], name) < PATH_BYTES && is_file(path))
            return true;
    return false;
}

static bool is_done(const struct flattener *self, const char *path)
{
    for (size_t i = 0; i < self->done_count; i++)
        if (strcmp(self->done[i], path) == 0)
            return true;
    return false;
}

/* Remembers `#define NAME "file"`, of which the last before an include counts. */
static void note_definition(struct flattener *self, const char *rest)
{
    char name[NAME_BYTES], value[NAME_BYTES];
    if (sscanf(rest, "%255[A-Za-z0-9_] %255[\"<A-Za-z0-9_./>-]", name, value) != 2 ||
        (value[0] != '"' && value[0] != '<'))
        return;
    size_t at = 0;
    while (at < self->definition_count && strcmp(self->definitions[at].name, name) != 0)
        at++;
    if (at == NAMES_MAX)
        return;
    self->definition_count += at == self->definition_count;
    memcpy(self->definitions[at].name, name, sizeof name);
    memcpy(self->definitions[at].value, value, sizeof value);
}

/* What an include names: the text itself, or what a macro stands for. */
static const char *resolve_name(const struct flattener *self, const char *rest)
{
    const size_t length = strcspn(rest, " \t\r\n");
    for (size_t i = 0; i < self->definition_count; i++)
        if (strncmp(self->definitions[i].name, rest, length) == 0 && self->definitions[i].name[length] == '\0')
            return self->definitions[i].value;
    return rest;
}

/* ---- expanding ---- */

static bool expand(struct flattener *self, struct source *source);

static bool put_position(struct flattener *self, const char *name, unsigned line)
{
    char text[NAME_BYTES + 32];
    const int length = snprintf(text, sizeof text, "#line %u \"%s\"\n", line, name);
    return put(self, text, length > 0 ? (size_t)length : 0);
}

static unsigned depth_of(const struct source *source)
{
    unsigned depth = 0;
    for (; source != NULL; source = source->from)
        depth++;
    return depth;
}

static bool is_unconditional(const struct source *source)
{
    for (; source != NULL; source = source->from)
        if (source->conditions > 0)
            return false;
    return true;
}

static bool mark_done(struct flattener *self, const struct source *source)
{
    if (self->done_count == NAMES_MAX)
        return refuse(self, source, "more than %d files", NAMES_MAX);
    self->done[self->done_count] = strdup(source->path);
    if (self->done[self->done_count] == NULL)
        return refuse(self, source, "out of memory");
    self->done_count++;
    return true;
}

/* Expands what was read of a file. */
static bool expand_text(struct flattener *self, struct source *source)
{
    strip_comments(source->text);
    source->is_guarded = has_guard(source->text);
    source->conditions = source->is_guarded ? -1 : 0;
    if (source->is_guarded && is_unconditional(source->from) && !mark_done(self, source))
        return false;
    return put_position(self, source->name, 1) && expand(self, source);
}

static bool expand_path(struct flattener *self, struct source *from, const char *name, const char *path)
{
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return refuse(self, from, "out of memory");
    *source = (struct source){.name = name, .line = 1, .from = from};
    snprintf(source->path, sizeof source->path, "%s", path);
    source->text = read_text(path);
    const bool is_good = source->text != NULL ? expand_text(self, source)
                                              : refuse(self, from, "%s cannot be read: %s", path, strerror(errno));
    free(source->text);
    free(source);
    return is_good;
}

/* An include line; `line` is the whole of it, for those that stay. */
static bool expand_include(struct flattener *self, struct source *source, const char *rest, const char *line,
                           size_t length)
{
    char name[NAME_BYTES], path[PATH_BYTES];
    const char *named = resolve_name(self, rest);
    const char end = *named == '"' ? '"' : '>';
    const size_t bytes = *named == '"' || *named == '<' ? strcspn(named + 1, (char[]){end, '\n', '\0'}) : 0;
    if (bytes == 0 || bytes >= sizeof name || named[1 + bytes] != end)
        return refuse(self, source, "#include %.*s names no file", (int)strcspn(rest, "\r\n"), rest);
    memcpy(name, named + 1, bytes);
    name[bytes] = '\0';
    if (depth_of(source) >= DEPTH_MAX)
        return refuse(self, source, "files include each other more than %d deep", DEPTH_MAX);
    if (!find_file(self, source, name, end == '"', path)) {
        if (end == '"')
            return refuse(self, source, "\"%s\" is neither beside this file nor in a folder of headers", name);
        return put(self, line, length);
    }
    if (is_done(self, path))
        return put(self, "\n", 1);
    return expand_path(self, source, name, path) && put_position(self, source->name, source->line + 1);
}

static void count_conditions(struct source *source, const char *line)
{
    if (directive(line, "if") != NULL || directive(line, "ifdef") != NULL || directive(line, "ifndef") != NULL)
        source->conditions++;
    else if (directive(line, "endif") != NULL)
        source->conditions--;
}

static bool expand(struct flattener *self, struct source *source)
{
    for (const char *line = source->text; *line != '\0'; source->line++) {
        const size_t length = strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
        const char *include = directive(line, "include"), *define = directive(line, "define");
        if (define != NULL)
            note_definition(self, define);
        count_conditions(source, line);
        if (!(include != NULL ? expand_include(self, source, include, line, length) : put(self, line, length)))
            return false;
        line += length;
    }
    return self->size == 0 || self->out[self->size - 1] == '\n' || put(self, "\n", 1);
}

char *flatten_file(const char *path, const char *const *folders, size_t folder_count, char *why, size_t why_size)
{
    struct flattener *self = calloc(1, sizeof *self);
    if (self == NULL) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    *self = (struct flattener){.folders = folders, .folder_count = folder_count, .why = why, .why_size = why_size};
    const char *slash = strrchr(path, '/');
    const bool is_good = expand_path(self, NULL, slash != NULL ? slash + 1 : path, path);
    char *text = is_good ? self->out : NULL;
    if (!is_good)
        free(self->out);
    for (size_t i = 0; i < self->done_count; i++)
        free(self->done[i]);
    free(self);
    return text;
}
