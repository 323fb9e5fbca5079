// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::event {

/// The contracts: a JSON Schema for each event type, over the normalised envelope. Immutable, readable from any thread.
class Contracts {
public:
    Contracts();
    ~Contracts();
    Contracts(Contracts &&) noexcept;
    Contracts &operator=(Contracts &&) noexcept;

    /// The contracts that are compiled into the program (the repository's contracts/).
    static Contracts built_in();

    /// Adds `<event type>.json` files of a directory, replacing contracts of the same type.
    /// @return what is wrong, naming file and JSON pointer; nothing was added then
    std::optional<std::string> add_directory(const std::filesystem::path &directory);

    /// Adds one contract. `pattern` is refused (a hostile value can overflow the stack of std::regex); `format` is checked
    /// natively for uuid, date-time and email, others are refused.
    std::optional<std::string> add(const std::string &event_type, std::string_view schema_json);

    /// The first violation of an event's contract, naming the JSON pointer; nothing where it holds or there is no contract.
    std::optional<Refusal> check(std::string_view event_type, const Json &envelope) const;

    /// All types that have a contract, sorted.
    std::vector<std::string> event_types() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::event
