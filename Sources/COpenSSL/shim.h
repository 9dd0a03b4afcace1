// OpenSSL's macros are not visible to Swift; this header gives the few that are needed a function
// form. Everything here is one call; what decides is in Sources/HTTP/TLS.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

// MARK: SSL_CTX

static inline int martlet_ctx_set_versions(SSL_CTX *ctx) {
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1
        && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1;
}

// The server's cipher order counts; tickets are stateless; what has been a source of attacks is
// off.
static inline void martlet_ctx_set_options(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                 | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static inline int martlet_ctx_set_groups(SSL_CTX *ctx, const char *groups) {
    return SSL_CTX_set1_groups_list(ctx, groups) == 1;
}

// Takes no ownership of the certificate.
static inline int martlet_ctx_add_chain(SSL_CTX *ctx, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(ctx, certificate) == 1;
}

// Whom a server believes that a client is; apart from the store that chains to send are made of.
static inline int martlet_ctx_set_verify_store(SSL_CTX *ctx, X509_STORE *store) {
    return SSL_CTX_set1_verify_cert_store(ctx, store) == 1;
}

// MARK: SSL

static inline int martlet_ssl_set_server_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

static inline void martlet_ssl_set_owner(SSL *ssl, void *owner) { SSL_set_app_data(ssl, owner); }

static inline void *martlet_ssl_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }

// The SSL that a chain of certificates is being verified for.
static inline SSL *martlet_store_ssl(X509_STORE_CTX *store) {
    return (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}

// MARK: Certificates

// Certificates as a list of OpenSSL's, which does not own them.
static inline STACK_OF(X509) *martlet_chain(X509 *const *certificates, long count) {
    STACK_OF(X509) *list = sk_X509_new_null();
    for (long index = 0; list && index < count; index++) sk_X509_push(list, certificates[index]);
    return list;
}

static inline void martlet_chain_free(STACK_OF(X509) *list) { sk_X509_free(list); }

static inline STACK_OF(X509_NAME) *martlet_name_list(void) { return sk_X509_NAME_new_null(); }

static inline void martlet_name_list_add(STACK_OF(X509_NAME) *list, X509 *certificate) {
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
    if (list && name) sk_X509_NAME_push(list, name);
}

// A passphrase is never asked for: a key that needs one is refused with that reason.
static inline int martlet_no_passphrase(char *buffer, int size, int is_writing, void *data) {
    (void)buffer, (void)size, (void)is_writing;
    *(int *)data = 1;
    return -1;
}

static inline EVP_PKEY *martlet_read_key(BIO *bio, int *wants_passphrase) {
    return PEM_read_bio_PrivateKey(bio, NULL, martlet_no_passphrase, wants_passphrase);
}

// Seconds since 1970; 0 if the time cannot be read.
static inline long long martlet_unix_time(const ASN1_TIME *time) {
    struct tm parts;
    memset(&parts, 0, sizeof parts);
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (long long)timegm(&parts) : 0;
}

static inline GENERAL_NAMES *martlet_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int martlet_names_count(const GENERAL_NAMES *names) {
    return sk_GENERAL_NAME_num(names);
}

// The bytes of a DNS name (is_address 0) or IP address (1); NULL for names of other kinds.
static inline const unsigned char *martlet_name(
    const GENERAL_NAMES *names, int index, int *count, int *is_address) {
    int type = 0;
    const ASN1_STRING *value =
        (const ASN1_STRING *)GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    if (type != GEN_DNS && type != GEN_IPADD) return NULL;
    *is_address = type == GEN_IPADD;
    *count = ASN1_STRING_length(value);
    return ASN1_STRING_get0_data(value);
}
