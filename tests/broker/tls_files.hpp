// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "servers.hpp"
#include "support.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace weir::test {

/// Keys and certificates of an authority made for a test, by Debian's openssl. Files are PEM: NAME.crt and NAME.key.
class TlsFiles {
public:
    TlsFiles() {
        run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=authority -days 2 -keyout ca.key -out ca.crt");
        sign("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
        sign("client", "extendedKeyUsage=clientAuth");
    }

    std::string file(const std::string &name) const { return (directory_ / name).string(); }

    /// @param days negative: it has expired
    void sign(const std::string &name, const std::string &extension, int days = 2) const {
        run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " + name + ".key -out " + name +
            ".csr");
        run("x509 -req -in " + name + ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -days " + std::to_string(days) + " -out " + name +
            ".crt -extfile /dev/stdin <<< '" + extension + "'");
    }

    void run(const std::string &arguments) const {
        const std::string command = "cd '" + (directory_ / "").string() + "' && bash -c \"openssl " + arguments + "\" >>log 2>&1";
        if (std::system(command.c_str()) != 0) { // NOLINT(concurrency-mt-unsafe): a test's, before it has threads
            throw std::runtime_error("openssl failed: " + command);
        }
    }

    /// Lines of redis.conf for a server with TLS on a port of its own beside the plain one.
    std::map<std::string, std::string> settings(std::uint16_t tls_port, const std::string &certificate = "server",
                                                bool wants_certificates = false) const {
        return {{"tls-port", std::to_string(tls_port)},
                {"tls-cert-file", file(certificate + ".crt")},
                {"tls-key-file", file(certificate + ".key")},
                {"tls-ca-cert-file", file("ca.crt")},
                {"tls-auth-clients", wants_certificates ? "yes" : "no"}};
    }

private:
    TemporaryDirectory directory_;
};

} // namespace weir::test
