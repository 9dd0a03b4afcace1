// OpenSSL's macros are not visible to Swift; this header gives the few that are needed a function form.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
