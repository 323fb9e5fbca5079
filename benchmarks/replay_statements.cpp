// SPDX-License-Identifier: Apache-2.0
// Sends recorded messages of one PostgreSQL connection again, with everything ready in memory: what the statements alone cost.
//   bench_replay_statements FILE PORT USER DATABASE
// FILE holds what a client sent after its startup packet, byte by byte. Prints {"seconds": S, "exchanges": N, "transactions": N}.
#include "wire.hpp"

#include <chrono>
#include <fstream>
#include <iterator>

using namespace weir::bench;

namespace {

/// What is sent at once, and what is waited for then.
struct Exchange {
    std::string_view bytes;
    bool copies = false; ///< ends where data for COPY follows: wait for the server's word
};

bool is_statement(std::string_view body, std::string_view word) {
    return body.size() >= word.size() && strncasecmp(body.data(), word.data(), word.size()) == 0;
}

/// A client waits after each Query and each Sync; data for COPY comes after the server's word that it takes it.
std::vector<Exchange> exchanges_of(std::string_view recorded) {
    std::vector<Exchange> exchanges;
    std::size_t begin = 0;
    std::size_t at = 0;
    while (at + 5 <= recorded.size()) {
        const char type = recorded[at];
        const std::size_t next = at + 1 + big_endian(recorded.substr(at + 1));
        if (next > recorded.size() || type == 'X') {
            break; // cut off, or the end of the connection
        }
        const bool copies = type == 'Q' && next < recorded.size() && recorded[next] == 'd';
        if (type == 'Q' || type == 'S' || type == 'c' || copies) {
            exchanges.push_back({recorded.substr(begin, next - begin), copies});
            begin = next;
        }
        at = next;
    }
    return exchanges;
}

} // namespace

int main(int count, char **arguments) {
    if (count != 5) {
        give_up("usage: bench_replay_statements FILE PORT USER DATABASE");
    }
    std::ifstream file(arguments[1], std::ios::binary);
    const std::string recorded{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::vector<Exchange> exchanges = exchanges_of(recorded);
    PostgresSession session(static_cast<std::uint16_t>(std::atoi(arguments[2])), arguments[3], arguments[4]);

    std::size_t transactions = 0;
    const auto began = std::chrono::steady_clock::now();
    for (const Exchange &exchange : exchanges) {
        session.send(exchange.bytes);
        for (;;) {
            const PostgresSession::Message message = session.receive();
            if (message.type == 'C' && is_statement(message.body, "COMMIT")) {
                ++transactions;
            }
            if (message.type == 'Z' || (exchange.copies && message.type == 'G')) {
                break;
            }
        }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
    std::printf("{\"seconds\": %.6f, \"exchanges\": %zu, \"transactions\": %zu}\n", elapsed.count(), exchanges.size(), transactions);
    return exchanges.empty() ? 1 : 0;
}
