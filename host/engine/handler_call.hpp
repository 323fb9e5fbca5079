// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/contracts.hpp"
#include "event/event.hpp"
#include "plugin/module.hpp"
#include "store/store.hpp"

#include "weir/abi.h"

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::engine {

/// What one run of a handler came to.
struct HandlerResult {
    weir_status status = WEIR_OK;
    std::vector<store::Change> changes;
    std::vector<store::OutboxEntry> emitted;
    std::vector<store::OutboxEntry> published; ///< of a route: to go to the broker without the outbox
    bool plugin_fault = false;                 ///< a call was refused for what is wrong with the plugin, and not with the data
    event::Refusal error;                      ///< why, where the status is not WEIR_OK or WEIR_SKIP
    /// What it read, for those that are applied later than they ran.
    struct ReadRow {
        std::uint32_t table;
        store::Key key;
        std::optional<store::Row> row;
    };
    std::vector<ReadRow> reads;
    std::uint32_t generation = 0; ///< of the plugin that stated it: in terms of its tables, and no other's
};

/// Reads one row for a handler; called on the handler's thread.
using ReadRowFunction = std::function<std::optional<store::Row>(std::uint32_t table, const store::Key &key)>;

/// Walks rows for a route.
using ScanFunction = std::function<std::vector<store::Row>(const store::Session::Scan &scan)>;

/// Everything that a handler sees of the host during one run: the event, the call, and what they hand out. Used by one thread at a time.
class HandlerCall {
public:
    /// @param contracts what is emitted is held to these, as what is published is; null: to none. Both outlive this
    HandlerCall(const plugin::Description &description, std::string domain, const event::Contracts *contracts = nullptr);
    HandlerCall(const HandlerCall &) = delete;
    HandlerCall &operator=(const HandlerCall &) = delete;

    /// Runs the handler once. Exceptions of `read` (an outage, say) are not shown to the handler: it is told WEIR_REFUSED, and they are
    /// thrown on here.
    HandlerResult run(weir_handler_v1 handler, void *instance, const event::Event &event, std::uint32_t attempt,
                      const ReadRowFunction &read);

    /// The same for what is no event handler: calls `body` with the event and the call. @param scan empty: not offered
    using Body = std::function<weir_status(const weir_event_v1 *event, const weir_call_v1 *call)>;
    HandlerResult run(const Body &body, const event::Event &event, std::uint32_t attempt, const ReadRowFunction &read,
                      const ScanFunction &scan);

    /* During a run, for what else the host offers then. */

    /// Takes an event that is to be published directly.
    weir_answer publish(const weir_emit_v1 &emitted);
    /// Notes that the plugin did what it may not do.
    void refuse(std::string type, std::string message);
    /// Keeps an exception for `run` to throw.
    void fail(std::exception_ptr failure) { failure_ = std::move(failure); }

private:
    struct Callbacks; // the C functions behind the two tables
    friend struct Callbacks;

    weir_view keep(std::string text);
    weir_answer take_change(const weir_change_v1 &stated);
    weir_answer read_row(std::uint32_t table, const weir_cell_v1 *cells, std::uint32_t count, std::uint32_t stride,
                         const weir_row_v1 **out);
    bool states(std::uint32_t table, const store::Key &key) const;
    std::optional<std::string> apply_own(std::uint32_t table, const store::Key &key, std::optional<store::Row> &row) const;
    weir_answer walk(const weir_scan_v1 &scan, weir_row_sink sink, void *user);
    weir_answer take_emit(const weir_emit_v1 &emitted);
    std::optional<store::OutboxEntry> make_entry(const weir_emit_v1 &emitted, const std::string &id_name);
    void refuse_data(std::string type, std::string message);

    const plugin::Description &description_;
    std::string domain_;
    const event::Contracts *contracts_;
    weir_event_v1 event_view_{};
    weir_call_v1 call_view_{};

    const event::Event *event_ = nullptr;
    std::string event_id_text_;
    const ReadRowFunction *read_ = nullptr;
    const ScanFunction *scan_ = nullptr;
    HandlerResult result_;
    bool refused_ = false;
    std::exception_ptr failure_;
    std::deque<std::string> texts_; // what views handed out point to
    std::deque<std::vector<weir_cell_v1>> row_cells_;
    std::deque<weir_row_v1> rows_;
    std::deque<store::Row> row_values_;
};

} // namespace weir::engine
