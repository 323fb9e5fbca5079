// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a handler may do while it runs.
#pragma once

#include "change.hpp"
#include "descriptor.hpp"
#include "scan.hpp"

namespace weir {

/// A header of an emitted event.
struct Header {
    std::string_view name;  ///< as consumers will see it
    std::string_view value; ///< any text
};

/// An event to be published after the commit, at least once, in the order of the commits for one key.
struct Emission {
    std::string_view topic{};                   ///< where to
    std::string_view key{};                     ///< what orders it; empty: nothing
    std::string_view type{};                    ///< "user.renamed.v1"
    std::string_view payload{};                 ///< JSON text; the host wraps it in an envelope
    std::initializer_list<Header> headers = {}; ///< up to 32
};

/// @cond internal
namespace detail {

/// Calls `use` with the emission as the ABI has it.
template <class Use> void with_emission(const Emission &emission, Use use) {
    if (emission.headers.size() > 32) {
        plugin_error("an emitted event has up to 32 headers");
    }
    std::array<weir_header_v1, 32> headers{};
    std::transform(emission.headers.begin(), emission.headers.end(), headers.begin(), [](const Header &header) {
        return weir_header_v1{view(header.name), view(header.value)};
    });
    weir_emit_v1 event{};
    event.size = sizeof(event);
    event.header_count = static_cast<std::uint32_t>(emission.headers.size());
    event.topic = view(emission.topic);
    event.key = view(emission.key);
    event.event_type = view(emission.type);
    event.payload = view(emission.payload);
    event.headers = headers.data();
    event.header_stride = sizeof(weir_header_v1);
    use(event);
}

} // namespace detail
/// @endcond

/// How grave a log line is.
enum class LogLevel : std::uint32_t { debug = WEIR_LOG_DEBUG, info = WEIR_LOG_INFO, warn = WEIR_LOG_WARN, error = WEIR_LOG_ERROR };

/**
 * One run of one handler. A handler that returns has succeeded, unless it said otherwise: `return call.reject(...)`, `call.retry(...)`,
 * `call.skip()`, or, from deep inside, `throw weir::Reject(...)`, `weir::Retry(...)`, `weir::Skip()`. Any other exception rejects the event
 * as `handler_threw`. Not copyable, used by one thread, gone when the handler returns.
 */
class Call {
public:
    /// For the thunk that WEIR_HANDLER makes. All three outlive this.
    Call(const Plugin &plugin, void *instance, const weir_call_v1 &call) noexcept
        : plugin_(plugin), instance_(static_cast<const detail::InstanceBase *>(instance)), call_(call) {}
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    /// @name Changes. The values after the table are its primary key, in order.
    /// @{

    /// Makes the row, or changes it.
    template <detail::IsTable T, class... KeyParts> Change<T, WEIR_CHANGE_UPSERT> upsert(const T &table, const KeyParts &...key) {
        return change<WEIR_CHANGE_UPSERT>(table, key...);
    }
    /// Makes the row; does nothing where it exists.
    template <detail::IsTable T, class... KeyParts> Change<T, WEIR_CHANGE_INSERT> insert(const T &table, const KeyParts &...key) {
        return change<WEIR_CHANGE_INSERT>(table, key...);
    }
    /// Changes the row; does nothing where it is missing.
    template <detail::IsTable T, class... KeyParts> Change<T, WEIR_CHANGE_UPDATE> update(const T &table, const KeyParts &...key) {
        return change<WEIR_CHANGE_UPDATE>(table, key...);
    }
    /// Deletes the row; does nothing where it is missing.
    template <detail::IsTable T, class... KeyParts> Change<T, WEIR_CHANGE_ERASE> erase(const T &table, const KeyParts &...key) {
        return change<WEIR_CHANGE_ERASE>(table, key...);
    }
    /// @}

    /// The row with this primary key, as it is after all earlier events and this handler's own changes; nothing where there is none.
    /// Declare it with `Plugin::reads`, so that the host fetches a whole batch's rows at once.
    template <detail::IsTable T, class... KeyParts> std::optional<Row<T>> read(const T &table, const KeyParts &...key) {
        static_assert(sizeof...(KeyParts) == std::tuple_size_v<typename detail::KeyOf<T>::Values>,
                      "a read names every column of the table's primary key, in order");
        settle();
        const typename detail::KeyOf<T>::Values values(key...);
        const auto columns = table.primary_key().columns;
        const auto cells = std::apply(
            [&columns](const auto &...value) {
                std::size_t at = 0;
                return std::array<weir_cell_v1, sizeof...(value)>{detail::make_cell(columns[at++], 0, value)...};
            },
            values);
        const weir_row_v1 *row = nullptr;
        const auto answer = call_.read(&call_, plugin_.table_index(&table), cells.data(), static_cast<std::uint32_t>(cells.size()),
                                       sizeof(weir_cell_v1), &row);
        if (answer == WEIR_FOUND) {
            return Row<T>(*row);
        }
        if (answer != WEIR_ABSENT) {
            throw Refused{};
        }
        return std::nullopt;
    }

    /// Walks rows in the order of the primary key or of an index; see `Scan`. Routes only: event handlers read by key.
    template <detail::IsTable T> Scan<T> scan(const T &table) {
        settle();
        return Scan<T>(call_, table, plugin_.table_index(&table));
    }

    /// Publishes an event after the commit, through the domain's outbox.
    void emit(const Emission &emission) {
        settle();
        detail::with_emission(emission, [this](const weir_emit_v1 &event) {
            if (call_.emit(&call_, &event) != WEIR_FOUND) {
                throw Refused{};
            }
        });
    }

    /// The n-th id of this event, the same in every rerun.
    Uuid new_id(std::uint32_t n) const {
        weir_view text{};
        const auto uuid = call_.new_id(&call_, n, &text) == WEIR_FOUND ? Uuid::parse(detail::text(text)) : std::nullopt;
        if (!uuid) {
            throw Refused{};
        }
        return *uuid;
    }

    /// The only clock of a handler: when the broker took the event.
    Timestamp now() const noexcept { return Timestamp(std::chrono::microseconds(call_.now_us)); }

    /// A line in the host's log, with event and domain added. Never an e-mail, never a payload.
    void log(LogLevel level, std::string_view message) const noexcept {
        call_.log(&call_, static_cast<std::uint32_t>(level), detail::view(message));
    }

    /// The domain's instance, as `Plugin::instance<T>` declared it.
    template <class T> T &instance() const {
        if (!instance_ || instance_->type != &detail::type_tag<T>) {
            detail::plugin_error("call.instance<T>() asks for another type than .instance<T>() in WEIR_PLUGIN declares");
        }
        return static_cast<const detail::Instance<T> *>(instance_)->value;
    }

    /// @name Other ends than success. The first one said counts, and the handler should return at once.
    /// @{

    /// The event is wrong for good: it becomes a dead letter, its changes are dropped.
    void reject(std::string_view code, std::string_view message) noexcept { end(WEIR_REJECT, code, message); }
    /// Something outside is missing right now: the event runs again later.
    void retry(std::string_view code, std::string_view message) noexcept { end(WEIR_RETRY, code, message); }
    /// The domain must stop.
    void fatal(std::string_view code, std::string_view message) noexcept { end(WEIR_FATAL, code, message); }
    /// Not for this domain: nothing is changed, the event counts as ignored.
    void skip() noexcept { status_ = status_ == WEIR_OK ? WEIR_SKIP : status_; }
    /// @}

    /// For the thunk: states what is still open, and says how it ended.
    weir_status finish() noexcept {
        settle();
        return status_;
    }

    /// The host refused a call and has noted why; thrown through the handler.
    using Refused = detail::Refused;

private:
    template <std::uint32_t Kind, class T, class... KeyParts> Change<T, Kind> change(const T &table, const KeyParts &...key) {
        using Key = detail::KeyOf<T>;
        static_assert(sizeof...(KeyParts) == std::tuple_size_v<typename Key::Values>,
                      "a change names every column of the table's primary key, in order");
        static_assert(!Key::nullable, "a primary key has no nullable columns");
        return with_key<Kind>(table, std::make_index_sequence<sizeof...(KeyParts)>{}, typename Key::Values(key...));
    }
    template <std::uint32_t Kind, class T, std::size_t... I>
    Change<T, Kind> with_key(const T &table, std::index_sequence<I...>, const typename detail::KeyOf<T>::Values &key) {
        return Change<T, Kind>(call_, open_, plugin_.table_index(&table), table.primary_key(), std::get<I>(key)...);
    }

    void settle() noexcept {
        if (open_) {
            open_->state();
            open_ = nullptr;
        }
    }
    void end(weir_status status, std::string_view code, std::string_view message) noexcept {
        if (status_ == WEIR_OK) {
            status_ = status;
            call_.error(&call_, detail::view(code), detail::view(message));
        }
    }

    const Plugin &plugin_;
    const detail::InstanceBase *instance_;
    const weir_call_v1 &call_;
    detail::ChangeBuilder *open_ = nullptr;
    weir_status status_ = WEIR_OK;
};

} // namespace weir
