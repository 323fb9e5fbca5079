// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats.hpp"
#include "node.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::event {

/// A contract as a quick check that is sure only when it accepts: what it takes, the validator takes, formats included. What it doesn't
/// take may still hold the contract; the validator says, and says why not.
class ContractAcceptor {
public:
    /// @param schema one that `prepare_schema` took, with its formats still in it
    /// @return nothing where the schema says something that is left to the validator
    static std::optional<ContractAcceptor> compile(const nlohmann::json &schema);

    bool accepts(const Node &value) const;

private:
    struct Property;
    struct Keyword;

    /// How many there may be of something.
    struct Count {
        std::uint64_t least = 0;
        std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
        bool holds(std::uint64_t number) const { return number >= least && number <= most; }
    };

    bool read(const nlohmann::json &schema);
    bool read_type(const nlohmann::json &value);
    bool read_choice(const nlohmann::json &value);
    bool read_choices(const nlohmann::json &value);
    bool read_required(const nlohmann::json &value);
    bool read_properties(const nlohmann::json &value);

    bool accepts_choice(const Node &value) const;
    bool accepts_text(std::string_view text) const;
    bool accepts_number(const Node &value) const;
    bool accepts_array(const Node &array) const;
    bool accepts_object(const Node &object) const;
    const Property *find_property(std::string_view name) const;
    Property &property(const std::string &name);

    bool nothing_ = false; ///< the schema `false`
    unsigned types_ = ~0u; ///< a bit for each NodeType
    bool chosen_ = false;  ///< `const` or `enum`: one of these
    std::vector<std::string> texts_;
    std::vector<std::int64_t> integers_;
    bool null_ = false;
    bool true_ = false;
    bool false_ = false;
    Count length_; ///< of a text, in characters
    std::optional<Format> format_;
    bool bounded_ = false;
    double least_ = -std::numeric_limits<double>::infinity();
    double most_ = std::numeric_limits<double>::infinity();
    double more_than_ = -std::numeric_limits<double>::infinity();
    double less_than_ = std::numeric_limits<double>::infinity();
    Count elements_;
    std::shared_ptr<const ContractAcceptor> items_;
    Count members_;
    std::vector<Property> properties_;
    std::shared_ptr<const ContractAcceptor> additional_; ///< of members that `properties` doesn't name
    std::vector<ContractAcceptor> all_of_;
    std::vector<ContractAcceptor> any_of_;
};

struct ContractAcceptor::Property {
    std::string name;
    bool required = false;
    std::shared_ptr<const ContractAcceptor> value; ///< null where it is only required
};

} // namespace weir::event
