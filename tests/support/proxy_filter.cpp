// SPDX-License-Identifier: Apache-2.0
#include "proxy_filter.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

namespace weir::test {

namespace {

/// The next fault, which is no longer armed.
std::optional<Fault> take(FaultPlan &plan) {
    if (plan.armed.empty()) {
        return std::nullopt;
    }
    const Fault fault = plan.armed.front();
    plan.armed.pop_front();
    return fault;
}

class TextFilter final : public ProxyFilter {
public:
    TextFilter(FaultPlan &plan, std::string mark) : plan_(plan), mark_(std::move(mark)) {}

    bool feed(Way way, std::string_view bytes, std::string &passed) override {
        if (way == Way::to_client && lose_reply_) {
            ++plan_.fired[Fault::reply_lost];
            return false;
        }
        if (way == Way::to_server && !mark_.empty()) {
            last_.append(bytes);
            if (const std::size_t found = last_.find(mark_); found != std::string::npos) {
                ++plan_.marks;
                const std::optional<Fault> fault = take(plan_);
                if (fault == Fault::cut_before) {
                    ++plan_.fired[Fault::cut_before];
                    return false;
                }
                lose_reply_ = fault == Fault::reply_lost;
                last_.clear();
            }
            // A mark may stand in two pieces.
            last_.erase(0, last_.size() - std::min(last_.size(), mark_.size() - 1));
        }
        passed.append(bytes);
        return true;
    }

private:
    FaultPlan &plan_;
    const std::string mark_;
    std::string last_;
    bool lose_reply_ = false;
};

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    }
    return value;
}

std::string message(char type, const std::string &body) {
    const auto length = static_cast<std::uint32_t>(body.size() + 4);
    std::string result(1, type);
    for (int shift = 24; shift >= 0; shift -= 8) {
        result += static_cast<char>(length >> shift & 0xff);
    }
    return result + body;
}

/// Where the COMMIT or END that is the text's last statement begins; npos: there is none.
std::size_t commit_in(std::string_view text) {
    const auto is_blank = [](char c) { return c == ';' || std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    std::size_t begin = text.rfind(';') + 1; // npos + 1 is 0
    while (begin < text.size() && is_blank(text[begin])) {
        ++begin;
    }
    std::string statement(text.substr(begin));
    std::transform(statement.begin(), statement.end(), statement.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const bool is_commit = statement == "COMMIT" || statement == "END" || statement == "COMMIT WORK" || statement == "COMMIT TRANSACTION";
    return is_commit ? begin : std::string_view::npos;
}

class PostgresFilter final : public ProxyFilter {
public:
    explicit PostgresFilter(FaultPlan &plan) : plan_(plan) {}

    bool feed(Way way, std::string_view bytes, std::string &passed) override {
        if (encrypted_) {
            passed.append(bytes);
            return true;
        }
        std::string &waiting = waiting_[static_cast<int>(way)];
        waiting.append(bytes);
        std::size_t begin = 0;
        bool goes_on = true;
        while (goes_on) {
            const std::size_t size = next_size(way, std::string_view(waiting).substr(begin));
            if (size == 0) {
                break;
            }
            std::string piece = waiting.substr(begin, size);
            begin += size;
            goes_on = way == Way::to_server ? from_client(piece) : from_server(piece);
            passed += piece;
        }
        waiting.erase(0, begin);
        return goes_on;
    }

private:
    static constexpr std::uint32_t kSslRequest = 80877103;
    static constexpr std::uint32_t kGssRequest = 80877104;

    /// The size of the message that begins here; 0: it is not here as a whole.
    std::size_t next_size(Way way, std::string_view bytes) const {
        if (way == Way::to_client && negotiating_) {
            return bytes.empty() ? 0 : 1;
        }
        const std::size_t type = way == Way::to_server && starting_ ? 0 : 1;
        if (bytes.size() < type + 4) {
            return 0;
        }
        const std::size_t size = type + number_at(bytes, type);
        return bytes.size() < size ? 0 : size;
    }

    bool from_client(std::string &piece) {
        if (starting_) {
            const std::uint32_t code = piece.size() >= 8 ? number_at(piece, 4) : 0;
            negotiating_ = code == kSslRequest || code == kGssRequest;
            starting_ = negotiating_;
            return true;
        }
        // Query: text NUL. Parse: name NUL text NUL types.
        const std::size_t begin = piece[0] == 'Q' ? 5 : piece[0] == 'P' ? piece.find('\0', 5) + 1 : 0;
        const std::size_t end = begin > 0 ? piece.find('\0', begin) : std::string::npos;
        if (end == std::string::npos) {
            return true;
        }
        const std::size_t commit = commit_in(std::string_view(piece).substr(begin, end - begin));
        if (commit == std::string::npos) {
            return true;
        }
        ++plan_.marks;
        pending_ = take(plan_);
        if (pending_ == Fault::cut_before) {
            ++plan_.fired[Fault::cut_before];
            piece.clear();
            return false;
        }
        if (pending_ == Fault::rolled_back || pending_ == Fault::refused) {
            piece = message(piece[0], piece.substr(5, begin + commit - 5) + "ROLLBACK" + piece.substr(end));
        }
        return true;
    }

    bool from_server(std::string &piece) {
        if (negotiating_) {
            negotiating_ = false;
            encrypted_ = piece == "S" || piece == "G";
            return true;
        }
        if (!pending_) {
            return true;
        }
        const std::string tag = piece[0] == 'C' ? piece.substr(5, piece.find('\0', 5) - 5) : "";
        const Fault fault = *pending_;
        if (fault == Fault::reply_lost) {
            const bool is_ready = piece[0] == 'Z';
            held_ += piece;
            piece.clear();
            if (tag == "COMMIT") {
                ++plan_.fired[fault];
                return false;
            }
            if (!is_ready) {
                return true;
            }
            piece.swap(held_); // it did not commit: there is nothing to lose
            plan_.armed.push_front(fault);
            pending_.reset();
        } else if (tag == "ROLLBACK") {
            ++plan_.fired[fault];
            if (fault == Fault::refused) {
                const std::string nul(1, '\0');
                piece = message('E', "SERROR" + nul + "VERROR" + nul + "C40001" + nul +
                                         "Mcould not serialize access, says the test's proxy" + nul + nul);
            }
            pending_.reset();
        }
        return true;
    }

    FaultPlan &plan_;
    std::string waiting_[2];
    bool starting_ = true;     ///< the client's messages have no type yet
    bool negotiating_ = false; ///< the server's next byte answers whether it encrypts
    bool encrypted_ = false;
    std::optional<Fault> pending_; ///< of a COMMIT whose answer has not come
    std::string held_;             ///< answers that belong to it
};

} // namespace

std::unique_ptr<ProxyFilter> make_text_filter(FaultPlan &plan, const std::string &mark) { return std::make_unique<TextFilter>(plan, mark); }
std::unique_ptr<ProxyFilter> make_postgres_filter(FaultPlan &plan) { return std::make_unique<PostgresFilter>(plan); }

} // namespace weir::test
