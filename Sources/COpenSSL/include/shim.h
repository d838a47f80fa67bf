// What Starling uses of libcrypto and libssl. Macros become `static inline` functions here, because Swift imports no macros.
#pragma once
// The digests are used without EVP: it looks for its parts anew, allocates and locks with each, which costs a short message more than
// hashing does. OpenSSL 3 calls that deprecated, and has it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// TLS 1.2 at least; no renegotiation, no 0-RTT (off by itself), the server's order of ciphers but ChaCha20 for who has no AES; an end without
/// close_notify is an end.
static inline int copenssl_context_set_rules(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline int copenssl_context_set_groups(SSL_CTX *context, const char *names) {
    return (int)SSL_CTX_set1_groups_list(context, (char *)names);
}

/// For tests: no newer version than this.
static inline int copenssl_context_set_max_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}

/// Takes the certificate over when it succeeds.
static inline int copenssl_context_add_chain(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add0_chain_cert(context, certificate);
}

static inline void copenssl_context_on_server_name(SSL_CTX *context, int (*choose)(SSL *, int *, void *)) {
    SSL_CTX_set_tlsext_servername_callback(context, choose);
}

static inline void copenssl_context_on_ticket(
    SSL_CTX *context,
    int (*keys)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int)) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, keys);
}

/// HMAC-SHA-256 with a key.
static inline int copenssl_prepare_mac(EVP_MAC_CTX *mac, const unsigned char *key, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"sha256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters);
}

static inline int copenssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, (char *)name);
}

/// The certificate that the server showed, believed or not; not counted.
static inline X509 *copenssl_shown_certificate(SSL *ssl) {
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    return chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
}

static inline int copenssl_error_reason(unsigned long error) { return ERR_GET_REASON(error); }
/// The errno of an error of the system's; 0: it is none.
static inline int copenssl_error_system(unsigned long error) { return ERR_SYSTEM_ERROR(error) ? ERR_GET_REASON(error) : 0; }
static inline int copenssl_error_library(unsigned long error) { return ERR_GET_LIB(error); }

/// Every shared BIO of one loop has this type: its callbacks are given once.
static inline BIO_METHOD *copenssl_new_method(
    int (*read)(BIO *, char *, size_t, size_t *), int (*write)(BIO *, const char *, size_t, size_t *),
    long (*control)(BIO *, int, long, void *)) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "loop");
    if (!method) return method;
    BIO_meth_set_read_ex(method, read);
    BIO_meth_set_write_ex(method, write);
    BIO_meth_set_ctrl(method, control);
    return method;
}

/// Nothing to read now; it comes later.
static inline void copenssl_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void copenssl_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

/// A new private key on P-256, for tests and `starling tls dev`.
static inline EVP_PKEY *copenssl_new_key(void) { return EVP_EC_gen("P-256"); }
