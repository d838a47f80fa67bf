#define _GNU_SOURCE
// The floor of TLS: what a server on OpenSSL cannot be cheaper than, and the client that asks both it and Starling.
//   serve PORT CERTIFICATE KEY      accepts, shakes hands, answers one request, closes; one after the other, blocking, one ticket
//   connect PORT COUNT CLIENTS      COUNT full handshakes, a request and its answer on each; by CLIENTS at once, each one after the other
//   hold PORT COUNT PID             opens COUNT WebSockets on channel `idle`, then prints how much PID's memory grew for each
// cc -O2 -o tls tls.c -lssl -lcrypto
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void serve(const char *port, const char *certificate, const char *key) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        die("certificate");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = loopback(port);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) die("listen");
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        char buffer[4096];
        if (SSL_accept(ssl) == 1 && SSL_read(ssl, buffer, sizeof buffer) > 0) {
            SSL_write(ssl, answer, sizeof answer - 1);
            SSL_shutdown(ssl);
        }
        SSL_free(ssl);
        close(fd);
    }
}

static SSL *dial(SSL_CTX *context, const char *port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    if (SSL_connect(ssl) != 1) die("handshake");
    return ssl;
}

static void ask(SSL_CTX *context, const char *port, int count) {
    static const char request[] = "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (int i = 0; i < count; i++) {
        SSL *ssl = dial(context, port);
        char buffer[4096];
        SSL_write(ssl, request, sizeof request - 1);
        if (SSL_read(ssl, buffer, sizeof buffer) <= 0) die("answer");
        close(SSL_get_fd(ssl));
        SSL_free(ssl);
    }
}

static void ask_at_once(SSL_CTX *context, const char *port, int count, int clients) {
    for (int i = 0; i < clients; i++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child > 0) continue;
        ask(context, port, count / clients);
        exit(0);
    }
    for (int status; wait(&status) > 0;)
        if (status) exit(1);
}

static long anonymous(const char *pid) {
    char path[64], line[256];
    long kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %ld", &kilobytes) == 1) break;
    fclose(file);
    return kilobytes * 1024;
}

static void talk(SSL *ssl, const void *bytes, int count, const char *until) {
    char buffer[8192];
    int held = 0;
    SSL_write(ssl, bytes, count);
    while (held < (int)sizeof buffer - 1) {
        int got = SSL_read(ssl, buffer + held, (int)sizeof buffer - 1 - held);
        if (got <= 0) die("answer");
        held += got;
        if (memmem(buffer, held, until, strlen(until))) return;
    }
}

static void hold(SSL_CTX *context, const char *port, int count, const char *pid) {
    static const char request[] = "GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\n\r\n";
    static const char message[] = "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"idle\"}}";
    char frame[128] = {(char)0x81, (char)(0x80 | (sizeof message - 1))};
    memcpy(frame + 6, message, sizeof message - 1);
    long before = 0;
    int warm = 200;
    for (int i = 0; i < count + warm; i++) {
        if (i == warm) {
            sleep(1);
            before = anonymous(pid);
        }
        SSL *ssl = dial(context, port);
        talk(ssl, request, sizeof request - 1, "connection_established");
        talk(ssl, frame, 6 + sizeof message - 1, "subscription_succeeded");
    }
    sleep(1);
    printf("%d connections, %ld bytes each\n", count, (anonymous(pid) - before) / count);
}

int main(int count, char **words) {
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    if (count == 5 && !strcmp(words[1], "serve")) serve(words[2], words[3], words[4]);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (count == 5 && !strcmp(words[1], "connect")) ask_at_once(context, words[2], atoi(words[3]), atoi(words[4]));
    else if (count == 5 && !strcmp(words[1], "hold")) hold(context, words[2], atoi(words[3]), words[4]);
    else return fprintf(stderr, "usage: tls serve PORT CERTIFICATE KEY | connect PORT COUNT CLIENTS | hold PORT COUNT PID\n"), 64;
}
