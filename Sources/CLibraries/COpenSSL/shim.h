#pragma once
// OpenSSL, as Swift sees it: what is a macro there is a function here.
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros of the TLS server, as functions.
static inline int shim_SSL_CTX_set_min_proto_version(SSL_CTX *ctx, int version) {
    return (int)SSL_CTX_set_min_proto_version(ctx, version);
}
static inline int shim_SSL_CTX_set1_groups_list(SSL_CTX *ctx, const char *names) {
    return (int)SSL_CTX_set1_groups_list(ctx, names);
}
static inline void shim_SSL_CTX_set_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_mode(ctx, mode); }
static inline void shim_SSL_CTX_set_session_cache_mode(SSL_CTX *ctx, long mode) {
    SSL_CTX_set_session_cache_mode(ctx, mode);
}
/// No renegotiation, no compression, our cipher order.
static inline void shim_SSL_CTX_set_server_options(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}
static inline long shim_SSL_CTX_ticket_keys_length(SSL_CTX *ctx) { return SSL_CTX_get_tlsext_ticket_keys(ctx, NULL, 0); }
static inline int shim_SSL_CTX_get_ticket_keys(SSL_CTX *ctx, void *keys, long length) {
    return (int)SSL_CTX_get_tlsext_ticket_keys(ctx, keys, length);
}
static inline int shim_SSL_CTX_set_ticket_keys(SSL_CTX *ctx, void *keys, long length) {
    return (int)SSL_CTX_set_tlsext_ticket_keys(ctx, keys, length);
}
static inline void shim_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void shim_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void shim_OPENSSL_free(void *memory) { OPENSSL_free(memory); }
