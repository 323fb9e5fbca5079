// SPDX-License-Identifier: Apache-2.0
#include "event/contracts.hpp"

#include "built_in_contracts.hpp"
#include "contract_acceptor.hpp"
#include "contract_schema.hpp"
#include "contract_types.hpp"
#include "document.hpp"
#include "event/decoder.hpp"
#include "json_pointer.hpp"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace weir::event {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxSchemaDepth = 64;
constexpr std::size_t kMaxPointerBytes = 256;

struct Contract {
    json schema; ///< for what is said of events that don't hold it
    valijson::Schema structure;
    FormatNode formats;
    std::optional<ContractAcceptor> quick; ///< takes nearly every event, at a fraction of the cost
};

using ContractMap = std::map<std::string, std::shared_ptr<const Contract>, std::less<>>;

/// valijson writes a place as "<root>", "[payload]", "[user_id]".
std::vector<std::string> path_of(const std::vector<std::string> &context) {
    std::vector<std::string> path;
    for (const std::string &step : context) {
        if (step.size() >= 2 && step.front() == '[' && step.back() == ']') {
            path.push_back(step.substr(1, step.size() - 2));
        }
    }
    return path;
}

std::string pointer_of(const std::vector<std::string> &path) {
    std::string pointer;
    for (const std::string &name : path) {
        append_token(pointer, name);
    }
    if (pointer.size() > kMaxPointerBytes) {
        // Never in the middle of a character: the message must stay UTF-8.
        std::size_t end = kMaxPointerBytes;
        while (end > 0 && (static_cast<unsigned char>(pointer[end]) & 0xC0u) == 0x80u) {
            --end;
        }
        pointer.resize(end);
        pointer += "...";
    }
    return pointer;
}

/// The validator's words where they speak of the contract alone; some of its sentences quote names from the message.
Refusal describe(const Contract &contract, const json &envelope, const std::vector<std::string> &context, const std::string &description) {
    static constexpr std::string_view missing = "Missing required property '";
    const std::vector<std::string> path = path_of(context);
    std::string pointer = pointer_of(path);
    if (description.starts_with(missing)) {
        const std::size_t end = description.rfind('\'');
        append_token(pointer, std::string_view(description).substr(missing.size(), end - missing.size()));
        return {"contract_violation", pointer + " is missing."};
    }
    std::string where = pointer.empty() ? "The envelope" : pointer;
    if (description.find("type") != std::string::npos && description.starts_with("Value type")) {
        const TypeMismatch type = find_type_mismatch(contract.schema, envelope, path);
        return {"contract_violation", !type.expected.empty() ? where + ": expected " + type.expected + ", found " + type.found + "."
                                      : type.found.empty()   ? where + " has a type that the contract does not allow."
                                                             : where + " has a type that the contract does not allow: " + type.found + "."};
    }
    if (description.find("additionalProperties") != std::string::npos) {
        return {"contract_violation", where + " has a member that the contract does not name."};
    }
    if (description.find('\'') == std::string::npos) {
        return {"contract_violation", where + ": " + description};
    }
    return {"contract_violation", where + " does not hold its contract."};
}

std::optional<Refusal> check_structure(const Contract &contract, const json &envelope) {
    const valijson::adapters::NlohmannJsonAdapter adapter(envelope);
    valijson::Validator validator;
    if (validator.validate(contract.structure, adapter, nullptr)) {
        return std::nullopt;
    }
    // Once more for the reasons: collecting them costs too much to do it for every event.
    valijson::ValidationResults results;
    validator.validate(contract.structure, adapter, &results);
    if (results.numErrors() == 0) {
        return Refusal{"contract_violation", "The envelope does not hold its contract."};
    }
    const auto &first = *results.begin();
    return describe(contract, envelope, first.context, first.description);
}

std::optional<std::string> parse_contract(std::string_view text, std::shared_ptr<const Contract> &out) {
    Document document(nullptr);
    Node root;
    if (const auto refusal = parse_into(document, text, kMaxSchemaDepth, root)) {
        return refusal->message;
    }
    json schema = make_tree(root);
    auto contract = std::make_shared<Contract>();
    contract->schema = schema;
    if (auto wrong = prepare_schema(schema, contract->formats)) {
        return wrong;
    }
    try {
        const valijson::adapters::NlohmannJsonAdapter adapter(schema);
        valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, contract->structure);
    } catch (const std::exception &error) {
        return std::string("is no JSON Schema (draft 7): ") + error.what();
    }
    contract->quick = ContractAcceptor::compile(contract->schema);
    out = std::move(contract);
    return std::nullopt;
}

} // namespace

struct Contracts::State {
    ContractMap contracts;
};

Contracts::Contracts() : state_(std::make_unique<State>()) {}
Contracts::~Contracts() = default;
Contracts::Contracts(Contracts &&) noexcept = default;
Contracts &Contracts::operator=(Contracts &&) noexcept = default;

Contracts Contracts::built_in() {
    Contracts contracts;
    for (const BuiltInContract &built : built_in_contracts()) {
        if (const auto wrong = contracts.add(std::string(built.event_type), built.schema)) {
            throw std::logic_error("contracts/" + std::string(built.event_type) + ".json: " + *wrong);
        }
    }
    return contracts;
}

std::optional<std::string> Contracts::add_directory(const std::filesystem::path &directory) {
    std::error_code error;
    std::filesystem::directory_iterator entries(directory, error);
    if (error) {
        return directory.string() + ": " + error.message();
    }
    ContractMap added;
    for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const std::filesystem::path file = entries->path();
        if (file.extension() != ".json" || file.filename().string().starts_with('.')) {
            continue;
        }
        const std::string type = file.stem().string();
        if (!is_event_type(type)) {
            return file.string() + ": must be named after an event type, such as user.created.v1.json";
        }
        std::ifstream in(file, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        if (!in) {
            return file.string() + ": cannot be read";
        }
        if (const auto wrong = parse_contract(text, added[type])) {
            return file.string() + ": " + *wrong;
        }
    }
    if (error) {
        return directory.string() + ": " + error.message();
    }
    for (auto &[type, contract] : added) {
        state_->contracts[type] = std::move(contract);
    }
    return std::nullopt;
}

std::optional<std::string> Contracts::add(const std::string &event_type, std::string_view schema_json) {
    if (!is_event_type(event_type)) {
        return "\"" + event_type + "\" is not an event type such as \"user.created.v1\"";
    }
    std::shared_ptr<const Contract> contract;
    if (auto wrong = parse_contract(schema_json, contract)) {
        return wrong;
    }
    state_->contracts[event_type] = std::move(contract);
    return std::nullopt;
}

std::optional<Refusal> Contracts::check(std::string_view event_type, const Json &envelope) const {
    const auto found = state_->contracts.find(event_type);
    if (found == state_->contracts.end()) {
        return std::nullopt;
    }
    const auto *document = dynamic_cast<const Document *>(&envelope);
    if (!document) {
        throw std::invalid_argument("Contracts::check takes documents made by Decoder or parse_json");
    }
    if (found->second->quick && found->second->quick->accepts(document->root())) {
        return std::nullopt;
    }
    const json tree = make_tree(document->root());
    if (auto refusal = check_structure(*found->second, tree)) {
        return refusal;
    }
    if (const auto violation = check_formats(found->second->formats, tree)) {
        return Refusal{"contract_violation", violation->pointer + " is not " + std::string(describe_format(violation->format)) + "."};
    }
    return std::nullopt;
}

std::vector<std::string> Contracts::event_types() const {
    std::vector<std::string> types;
    for (const auto &[type, contract] : state_->contracts) {
        types.push_back(type);
    }
    return types;
}

} // namespace weir::event
