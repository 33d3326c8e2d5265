// An echo server on libuv. It tries to write at once, as libuv advises to save a request, and stops
// reading while a request is under way. One buffer serves all connections.
//
// echo_libuv PORT [--idle-timeout-ms N] [--lines]

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_BYTES = 64 * 1024, BACKLOG = 4096 };

struct connection {
  uv_tcp_t tcp;
  uv_write_t request;
  char *kept;     // what is being written, then the beginning of a line; or NULL
  size_t unsent;  // so many of `kept` are being written
  size_t begun;   // so many of `kept` are of a line whose end has not come yet
  int handles;    // that libuv still knows
  uv_timer_t timer; // allocated only where there are idle timeouts
};

static uint64_t idle_timeout;
static int by_lines;
static char buffer[2 * READ_BYTES]; // a begun line, and a read behind it

static void on_closed(uv_handle_t *handle) {
  struct connection *c = handle->data;
  if (--c->handles > 0) return;
  free(c->kept);
  free(c);
}

static void close_connection(struct connection *c) {
  if (uv_is_closing((uv_handle_t *)&c->tcp)) return;
  uv_close((uv_handle_t *)&c->tcp, on_closed);
  if (idle_timeout) uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void on_idle(uv_timer_t *timer) { close_connection(timer->data); }

static void touch(struct connection *c) {
  if (idle_timeout) uv_timer_again(&c->timer);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  struct connection *c = handle->data;
  (void)suggested;
  *out = uv_buf_init(buffer + c->begun, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *read);

static void on_written(uv_write_t *request, int status) {
  struct connection *c = request->handle->data;
  if (status < 0) {
    close_connection(c);
    return;
  }
  if (c->begun > 0) {
    memmove(c->kept, c->kept + c->unsent, c->begun);
  } else {
    free(c->kept);
    c->kept = NULL;
  }
  c->unsent = 0;
  touch(c);
  if (uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_read) != 0) close_connection(c);
}

// Keeps what could not be written, and what waits for the end of its line.
static void keep(struct connection *c, const char *bytes, size_t unsent, size_t begun) {
  if (unsent + begun == 0) return;
  c->kept = malloc(unsent + begun);
  if (c->kept == NULL) {
    close_connection(c);
    return;
  }
  memcpy(c->kept, bytes, unsent + begun);
  c->unsent = unsent;
  c->begun = begun;
  if (unsent == 0) return;
  uv_buf_t rest = uv_buf_init(c->kept, unsent);
  uv_read_stop((uv_stream_t *)&c->tcp);
  if (uv_write(&c->request, (uv_stream_t *)&c->tcp, &rest, 1, on_written) != 0) close_connection(c);
}

// How much the kernel took; negative for an error.
static ssize_t try_write(struct connection *c, char *bytes, size_t count) {
  uv_buf_t out = uv_buf_init(bytes, count);
  int taken = uv_try_write((uv_stream_t *)&c->tcp, &out, 1);
  return taken == UV_EAGAIN ? 0 : taken;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *read) {
  struct connection *c = stream->data;
  if (bytes == 0) return; // nothing to read after all
  if (bytes < 0) {
    close_connection(c); // at an end everything was written: nothing is read while something waits
    return;
  }
  touch(c);
  char *at = read->base, *end = read->base + bytes;
  if (!by_lines) {
    ssize_t taken = try_write(c, at, bytes);
    if (taken < 0) close_connection(c);
    else keep(c, at + taken, bytes - taken, 0);
    return;
  }
  if (c->begun > 0) {
    at -= c->begun;
    memcpy(at, c->kept, c->begun);
    free(c->kept);
    c->kept = NULL;
    c->begun = 0;
  }
  char *lines_end = at;
  char *newline;
  int blocked = 0;
  while ((newline = memchr(lines_end, '\n', end - lines_end)) != NULL) {
    lines_end = newline + 1;
    if (blocked) continue; // only counts what is whole
    ssize_t taken = try_write(c, at, lines_end - at);
    if (taken < 0) {
      close_connection(c);
      return;
    }
    at += taken;
    blocked = at < lines_end;
  }
  if (end - lines_end > READ_BYTES) close_connection(c); // no line is that long
  else keep(c, at, lines_end - at, end - lines_end);
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status < 0) {
    fprintf(stderr, "accept: %s\n", uv_strerror(status));
    exit(1);
  }
  struct connection *c = calloc(1, idle_timeout ? sizeof *c : offsetof(struct connection, timer));
  if (c == NULL) abort();
  uv_tcp_init(listener->loop, &c->tcp);
  c->tcp.data = c;
  c->handles = 1;
  if (idle_timeout) {
    uv_timer_init(listener->loop, &c->timer);
    c->timer.data = c;
    c->handles = 2;
    uv_timer_start(&c->timer, on_idle, idle_timeout, idle_timeout);
  }
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
    close_connection(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1); // else tails wait for acknowledgements: see the README
  if (uv_read_start((uv_stream_t *)&c->tcp, on_buffer, on_read) != 0) close_connection(c);
}

static int number(const char *word, unsigned long long most, unsigned long long *value) {
  char *end;
  *value = strtoull(word, &end, 10);
  return *word >= '0' && *word <= '9' && *end == '\0' && *value <= most;
}

static int usage(void) {
  fprintf(stderr, "usage: PORT [--idle-timeout-ms N] [--lines]\n");
  return 2;
}

int main(int count, char **words) {
  unsigned long long port = 0, value;
  int has_port = 0;
  for (int i = 1; i < count; i++) {
    if (strcmp(words[i], "--lines") == 0) {
      by_lines = 1;
    } else if (strcmp(words[i], "--idle-timeout-ms") == 0) {
      if (++i == count || !number(words[i], UINT32_MAX, &value)) return usage();
      idle_timeout = value;
    } else if (!has_port && number(words[i], 65535, &port)) {
      has_port = 1;
    } else {
      return usage();
    }
  }
  if (!has_port) return usage();

  signal(SIGPIPE, SIG_IGN); // a peer that has gone is an error of that write
  uv_loop_t *loop = uv_default_loop();
  uv_tcp_t listener;
  struct sockaddr_in address;
  int length = sizeof address;
  uv_ip4_addr("127.0.0.1", (int)port, &address);
  uv_tcp_init(loop, &listener);
  int failed = uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
  if (failed == 0) failed = uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection);
  if (failed == 0) failed = uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
  if (failed != 0) {
    fprintf(stderr, "listen: %s\n", uv_strerror(failed));
    return 1;
  }
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
