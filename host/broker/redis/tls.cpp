// SPDX-License-Identifier: Apache-2.0
// TLS by OpenSSL. Debian 12's hiredis has none, and all that is taken of hiredis are sockets and the protocol.
#include "channel.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

namespace weir::broker::redis {

namespace {

template <auto Free> struct Freed {
    template <typename T> void operator()(T *one) const { Free(one); }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

/// OpenSSL's own socket BIO would raise SIGPIPE.
int write_socket(BIO *bio, const char *bytes, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(*static_cast<int *>(BIO_get_data(bio)), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
}

int read_socket(BIO *bio, char *bytes, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(*static_cast<int *>(BIO_get_data(bio)), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    return static_cast<int>(got);
}

long control_socket(BIO *, int command, long, void *) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD *socket_method() {
    static BIO_METHOD *const method = [] {
        BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
        if (made == nullptr) {
            throw std::bad_alloc();
        }
        BIO_meth_set_write(made, write_socket);
        BIO_meth_set_read(made, read_socket);
        BIO_meth_set_ctrl(made, control_socket);
        return made;
    }();
    return method;
}

/// The first thing that OpenSSL has to say, and nothing of it stays for whoever uses it next on this thread.
std::string words_of(unsigned long error) {
    char text[256];
    ERR_error_string_n(error, text, sizeof text);
    const char *reason = ERR_reason_error_string(error);
    return reason != nullptr ? reason : text;
}

bool is_alert_about_certificates(int reason) {
    switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE: // what TLS 1.2 says where a certificate is missing
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return true;
    default:
        return false;
    }
}

class TlsChannel final : public Channel {
public:
    TlsChannel(const RedisOptions &options, int file) : options_(options), file_(file), context_(SSL_CTX_new(TLS_client_method())) {
        ERR_clear_error();
        if (!context_) {
            throw std::bad_alloc();
        }
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
        SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF); // answers tell by themselves whether they are whole
        SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
        trust();
        show_certificate();
        session_.reset(SSL_new(context_.get()));
        BIO *bio = BIO_new(socket_method());
        if (!session_ || bio == nullptr) {
            throw std::bad_alloc();
        }
        BIO_set_data(bio, &file_);
        BIO_set_init(bio, 1);
        SSL_set_bio(session_.get(), bio, bio); // which owns it from now on
        expect_host();
    }

    ~TlsChannel() override {
        if (begun_ && !failed_) {
            SSL_shutdown(session_.get()); // says goodbye, and waits for nothing
        }
        ERR_clear_error();
    }

    bool begin() override {
        ERR_clear_error();
        const int result = SSL_connect(session_.get());
        if (result == 1) {
            begun_ = true;
            return true;
        }
        if (const int error = SSL_get_error(session_.get(), result); error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            wanted_ = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
            return false;
        }
        note_failure();
        check();
        throw Unavailable(where() + ": TLS can't be begun: " + problem_);
    }

    short wanted() const override { return wanted_; }

    ssize_t send(const char *bytes, std::size_t size) override {
        return moved(size, [&](int limit) { return SSL_write(session_.get(), bytes, limit); });
    }

    ssize_t receive(char *bytes, std::size_t size) override {
        return moved(size, [&](int limit) { return SSL_read(session_.get(), bytes, limit); });
    }

    // What has come may be TLS's own, such as a ticket for another session.
    bool is_quiet() override {
        char one = 0;
        return moved(1, [&](int limit) { return SSL_peek(session_.get(), &one, limit); }) < 0 && errno == EAGAIN;
    }

    void check() const override {
        if (!refusal_.empty()) {
            throw Misconfigured(where() + refusal_);
        }
    }

    std::string problem() const override { return problem_; }

private:
    std::string where() const { return options_.key + ": " + options_.place(); }

    /// The file that a parameter names is there and can be read.
    void expect_readable(const char *parameter, const std::string &path) const {
        std::error_code error;
        if (!std::filesystem::is_directory(path, error) && !std::ifstream(path)) {
            throw Misconfigured(options_.key + ": " + parameter + " names " + path + ", which can't be read: " + std::strerror(errno));
        }
    }
    [[noreturn]] void refuse_file(const char *parameter, const std::string &path, const char *what) const {
        const unsigned long error = ERR_get_error();
        ERR_clear_error();
        throw Misconfigured(options_.key + ": " + parameter + " names " + path + ", which " + what + ": " + words_of(error));
    }

    void trust() {
        SSL_CTX_set_verify(context_.get(), options_.tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
        const std::string &path = options_.tls_ca;
        if (path.empty()) {
            SSL_CTX_set_default_verify_paths(context_.get());
            return;
        }
        expect_readable("ssl_ca_certs", path);
        std::error_code error;
        const bool is_directory = std::filesystem::is_directory(path, error);
        if (SSL_CTX_load_verify_locations(context_.get(), is_directory ? nullptr : path.c_str(), is_directory ? path.c_str() : nullptr) !=
            1) {
            refuse_file("ssl_ca_certs", path, "holds no certificates in PEM");
        }
    }

    void show_certificate() {
        if (options_.tls_certificate.empty()) {
            return;
        }
        expect_readable("ssl_certfile", options_.tls_certificate);
        if (SSL_CTX_use_certificate_chain_file(context_.get(), options_.tls_certificate.c_str()) != 1) {
            refuse_file("ssl_certfile", options_.tls_certificate, "holds no certificate in PEM");
        }
        const bool own_file = !options_.tls_key.empty();
        const char *parameter = own_file ? "ssl_keyfile" : "ssl_certfile";
        const std::string &key = own_file ? options_.tls_key : options_.tls_certificate;
        expect_readable(parameter, key);
        // A key that wants a passphrase must not be asked for on a terminal.
        SSL_CTX_set_default_passwd_cb(context_.get(), [](char *, int, int, void *) { return 0; });
        if (SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context_.get()) != 1) {
            refuse_file(parameter, key, "holds no key in PEM, without a passphrase, that belongs to ssl_certfile");
        }
    }

    void expect_host() {
        unsigned char address[sizeof(in6_addr)];
        const bool is_address =
            ::inet_pton(AF_INET, options_.host.c_str(), address) == 1 || ::inet_pton(AF_INET6, options_.host.c_str(), address) == 1;
        if (!is_address) {
            SSL_set_tlsext_host_name(session_.get(), options_.host.c_str());
        }
        if (!options_.tls_verify || !options_.tls_check_host) {
            return;
        }
        X509_VERIFY_PARAM *expected = SSL_get0_param(session_.get());
        X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const int done = is_address ? X509_VERIFY_PARAM_set1_ip_asc(expected, options_.host.c_str())
                                    : X509_VERIFY_PARAM_set1_host(expected, options_.host.c_str(), 0);
        if (done != 1) {
            throw Misconfigured(where() + ": no certificate can be for such a host; write its name or address in " + options_.key);
        }
    }

    template <typename Call> ssize_t moved(std::size_t size, const Call &call) {
        ERR_clear_error();
        const int result = call(static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
        if (result > 0) {
            return result;
        }
        switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            errno = EAGAIN;
            return -1;
        case SSL_ERROR_ZERO_RETURN:
            return 0;
        default:
            note_failure();
            errno = EPROTO;
            return -1;
        }
    }

    void note_failure() {
        failed_ = true;
        const int number = errno;
        const unsigned long error = ERR_get_error();
        ERR_clear_error();
        const long verified = SSL_get_verify_result(session_.get());
        problem_ = error != 0 ? words_of(error) : number != 0 ? std::strerror(number) : "the server closed the connection";
        if (options_.tls_verify && verified != X509_V_OK) {
            problem_ = X509_verify_cert_error_string(verified);
            const bool is_host = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
            const bool is_unknown = verified == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                                    verified == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
                                    verified == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
            refusal_ = " shows a certificate that is not accepted: " + problem_ +
                       (is_host      ? "; name the host as the certificate does, or give ssl_check_hostname=false"
                        : is_unknown ? "; name the file of the authority that signed it with ssl_ca_certs"
                                     : "; it has to be renewed on the server, or see that both clocks are right");
        } else if (is_alert_about_certificates(ERR_GET_REASON(error))) {
            refusal_ = " refuses this client's certificate, or wants one: " + problem_ + "; name it with ssl_certfile and ssl_keyfile";
        } else if (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER) {
            refusal_ = " does not speak TLS; write redis://, or the port that does";
        }
    }

    const RedisOptions options_;
    int file_;
    short wanted_ = POLLOUT;
    bool begun_ = false;
    bool failed_ = false;
    std::string problem_;
    std::string refusal_;
    Context context_;
    Session session_;
};

} // namespace

std::unique_ptr<Channel> open_tls_channel(const RedisOptions &options, int file) { return std::make_unique<TlsChannel>(options, file); }

} // namespace weir::broker::redis
