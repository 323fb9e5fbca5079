// SPDX-License-Identifier: Apache-2.0
#include "envelope.hpp"

#include "document.hpp"

#include <charconv>
#include <limits>

namespace weir::event {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxIdentifierBytes = 1024;

/// How a message carries an envelope.
enum class Form { own, cloud_event, bare };

/// What was found for a member.
struct Member {
    json *value = nullptr;  ///< null where there is none, or JSON null
    std::string_view where; ///< a JSON pointer for messages
    bool stated = false;    ///< the binding says where it is: there it must be right
};

/// Takes one message apart. Lives for one call of `decode`; keeps the first refusal and reads on.
class Reader {
public:
    Reader(const Plan &plan, Event &event, Content content) : plan_(plan), event_(event), content_(std::move(content)) {}

    void read() {
        event_.key = event_.message->key;
        event_.occurred_at = event_.message->appended_at;
        form_ = find_form();
        if (!root().is_object() && plan_.binding.envelope_required) {
            event_.id = position_id(*event_.message);
            refuse("not_an_object", "The message is JSON but not an object; the topic's binding requires an envelope.");
            event_.envelope = std::make_shared<Document>(json{{"payload", std::move(root())}});
            return;
        }
        read_id();
        read_type();
        read_time();
        event_.tenant_id = read_identifier(plan_.tenant_id, "/tenant_id", "/tenantid");
        event_.correlation_id = read_identifier(plan_.correlation_id, "/correlation_id", "/correlationid");
        read_schema_version();
        std::optional<std::string> key = make_key(plan_.keys, root());
        json normalised = form_ == Form::own && plan_.payload.kind == Source::Kind::own ? normalise_in_place() : normalise();
        if (!key) {
            // Pointers also reach into the envelope as plugins see it, so that one binding serves both forms of envelope.
            key = make_key(plan_.keys, normalised);
        }
        if (key) {
            event_.key = std::move(*key);
        }
        auto document = std::make_shared<const Document>(std::move(normalised));
        if (!event_.refusal) {
            event_.refusal = plan_.contracts.check(event_.type, *document);
        }
        event_.envelope = std::move(document);
    }

private:
    json &root() { return content_.root; }

    void refuse(const char *type, std::string message) {
        if (!event_.refusal) {
            event_.refusal = Refusal{type, std::move(message)};
        }
    }
    void refuse_missing(std::string_view where) { refuse("missing_member", std::string(where) + " is missing."); }
    void refuse_invalid(std::string_view where, std::string_view why) {
        refuse("invalid_member", std::string(where) + ' ' + std::string(why));
    }

    Form find_form() {
        if (!root().is_object()) {
            return Form::bare;
        }
        const bool typed = root().contains("event_type");
        const auto version = root().find("specversion");
        if (!typed && version != root().end() && version->is_string()) {
            if (version->get_ref<const std::string &>() != "1.0") {
                refuse_invalid("/specversion", "is not \"1.0\", the version of CloudEvents that is understood.");
            }
            return Form::cloud_event;
        }
        const bool enveloped = root().contains("payload") && (typed || root().contains("event_id"));
        return enveloped || plan_.binding.envelope_required ? Form::own : Form::bare;
    }

    json *at(std::string_view pointer) {
        auto *value = const_cast<json *>(find_value(root(), pointer)); // the root is this reader's own
        return value && !value->is_null() ? value : nullptr;
    }

    /// @param own the pointer in an envelope of our own, @param cloud in a CloudEvent
    Member find(const Source &source, std::string_view own, std::string_view cloud) {
        if (source.kind == Source::Kind::pointer) {
            return {at(source.text), source.text, true};
        }
        const std::string_view where = form_ == Form::cloud_event ? cloud : own;
        return {at(where), where, false};
    }

    /// A text member; nothing where it is missing or unusable. What a bare message holds at an envelope's places by accident is no error.
    std::optional<std::string_view> text_of(const Member &member) {
        if (!member.value) {
            return std::nullopt;
        }
        if (!member.value->is_string()) {
            if (member.stated || form_ != Form::bare) {
                refuse_invalid(member.where, "is not a string.");
            }
            return std::nullopt;
        }
        return member.value->get_ref<const std::string &>();
    }

    void read_id() {
        if (!read_own_id()) { // no two messages without one may share it
            event_.id = position_id(*event_.message);
        }
    }

    bool read_own_id() {
        if (plan_.event_id.kind == Source::Kind::position) {
            return false;
        }
        const Member member = find(plan_.event_id, "/event_id", "/id");
        const auto text = text_of(member);
        if (!text) {
            if (!member.value && (member.stated || form_ == Form::cloud_event || plan_.binding.envelope_required)) {
                refuse_missing(member.where);
            }
            return false;
        }
        if (text->empty()) {
            refuse_invalid(member.where, "is empty.");
            return false;
        }
        if (form_ == Form::cloud_event && !member.stated) {
            return read_cloud_event_id(*text);
        }
        if (const auto id = Uuid::parse(*text)) {
            event_.id = *id;
        } else {
            event_.id = Uuid::v5(topic_namespace(), *text);
        }
        return true;
    }

    /// A CloudEvent's id is unique within its source only. [CloudEvents 1.0, "id"]
    bool read_cloud_event_id(std::string_view id) {
        const json *source = at("/source");
        if (!source) {
            refuse_missing("/source");
        } else if (!source->is_string() || source->get_ref<const std::string &>().empty()) {
            refuse_invalid("/source", "is not a non-empty string.");
        } else {
            event_.id = Uuid::v5(Uuid::v5(weir_namespace(), source->get_ref<const std::string &>()), id);
            return true;
        }
        return false;
    }

    Uuid topic_namespace() const {
        const std::string &topic = event_.message->topic;
        return topic == plan_.binding.topic ? plan_.topic_namespace : Uuid::v5(weir_namespace(), topic);
    }

    void read_type() {
        std::string_view type = plan_.event_type.text;
        std::string_view where = "/event_type";
        if (plan_.event_type.kind != Source::Kind::fixed) {
            const Member member = find(plan_.event_type, "/event_type", "/type");
            where = member.where;
            const auto text = text_of(member);
            if (!text) {
                refuse_missing(where); // one that isn't a string was refused already
                return;
            }
            type = *text;
        }
        if (const auto alias = plan_.aliases.find(type); alias != plan_.aliases.end()) {
            event_.type = alias->second;
        } else if (is_event_type(type)) {
            event_.type = type;
        } else {
            refuse_invalid(where, "is no event type such as \"user.created.v1\", and the topic's binding has no alias for it.");
        }
    }

    void read_time() {
        if (plan_.occurred_at.kind == Source::Kind::fixed) {
            event_.occurred_at = parse_time(plan_.occurred_at.text).value_or(event_.occurred_at);
            return;
        }
        const Member member = find(plan_.occurred_at, "/occurred_at", "/time");
        const auto text = text_of(member);
        if (!text) {
            // A CloudEvent may leave its time out. [CloudEvents 1.0, "time"]
            if (!member.value && plan_.binding.envelope_required && (member.stated || form_ != Form::cloud_event)) {
                refuse_missing(member.where);
            }
            return;
        }
        if (const auto time = parse_time(*text)) {
            event_.occurred_at = *time;
        } else if (member.stated || form_ != Form::bare) {
            refuse_invalid(member.where, "is not an RFC 3339 time with a zone, or not one of the years 1 to 9999.");
        }
    }

    std::string read_identifier(const Source &source, std::string_view own, std::string_view extension) {
        if (source.kind == Source::Kind::fixed) {
            return lower_if_uuid(source.text);
        }
        Member member = find(source, own, extension);
        if (!member.value && !member.stated && form_ == Form::cloud_event) {
            member = {at(own), own, false};
        }
        const auto text = text_of(member);
        if (!text) {
            return {};
        }
        if (text->size() > kMaxIdentifierBytes || text->find('\0') != std::string_view::npos) {
            refuse_invalid(member.where, "holds U+0000 or is longer than 1024 bytes.");
            return {};
        }
        return lower_if_uuid(*text);
    }

    void read_schema_version() {
        const json *value = at(form_ == Form::cloud_event ? "/schemaversion" : "/schema_version");
        if (!value) {
            return;
        }
        std::int64_t version = -1;
        if (value->is_number_integer()) {
            version = value->is_number_unsigned() && value->get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()
                          ? -1
                          : value->get<std::int64_t>();
        } else if (content_.flat && value->is_string()) {
            const std::string &text = value->get_ref<const std::string &>();
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
            if (error != std::errc() || end != text.data() + text.size()) {
                version = -1;
            }
        }
        if (version >= 0 && version <= std::numeric_limits<std::int32_t>::max()) {
            event_.schema_version = static_cast<std::int32_t>(version);
            versioned_ = true;
        } else if (form_ != Form::bare) {
            refuse_invalid("/schema_version", "is not a whole number from 0 to 2147483647.");
        }
    }

    json take_payload() {
        if (plan_.payload.kind == Source::Kind::fixed) {
            return plan_.payload.text;
        }
        std::string_view where = form_ == Form::cloud_event ? "/data" : "/payload";
        if (plan_.payload.kind == Source::Kind::pointer) {
            where = plan_.payload.text;
        } else if (form_ == Form::bare) {
            return std::move(root());
        }
        if (auto *value = const_cast<json *>(find_value(root(), where))) {
            return std::move(*value);
        }
        if (form_ == Form::cloud_event && plan_.payload.kind == Source::Kind::own && at("/data_base64")) {
            refuse("unknown_encoding", "/data_base64 is binary data; JSON in /data is understood.");
        } else if (plan_.binding.envelope_required || plan_.payload.kind == Source::Kind::pointer) {
            refuse_missing(where);
        }
        return nullptr;
    }

    /// The envelope as contracts and plugins see it: seven members and nothing else. Takes the tree's parts, copies none.
    json normalise() {
        json payload = take_payload();
        json envelope = json::object();
        auto &members = envelope.get_ref<json::object_t &>();
        // In the order of their names, so that each is put at the end.
        if (!event_.correlation_id.empty()) {
            members.emplace_hint(members.end(), "correlation_id", event_.correlation_id);
        }
        members.emplace_hint(members.end(), "event_id", event_.id.text());
        if (!event_.type.empty()) {
            members.emplace_hint(members.end(), "event_type", event_.type);
        }
        members.emplace_hint(members.end(), "occurred_at", format_time(event_.occurred_at));
        members.emplace_hint(members.end(), "payload", std::move(payload));
        if (versioned_) {
            members.emplace_hint(members.end(), "schema_version", event_.schema_version);
        }
        if (!event_.tenant_id.empty()) {
            members.emplace_hint(members.end(), "tenant_id", event_.tenant_id);
        }
        return envelope;
    }

    /// The same for an envelope of our own, where hardly anything is to be changed: in the tree that was parsed.
    json normalise_in_place() {
        auto &members = root().get_ref<json::object_t &>();
        std::erase_if(members, [&](const auto &member) { return !is_normal(member.first, member.second); });
        if (!members.contains("payload")) {
            members["payload"] = take_payload();
        }
        if (!members.contains("event_id")) {
            members["event_id"] = event_.id.text();
        }
        if (!members.contains("occurred_at")) {
            members["occurred_at"] = format_time(event_.occurred_at);
        }
        if (!event_.type.empty()) {
            members.try_emplace("event_type", event_.type);
        }
        if (!event_.tenant_id.empty()) {
            members.try_emplace("tenant_id", event_.tenant_id);
        }
        if (!event_.correlation_id.empty()) {
            members.try_emplace("correlation_id", event_.correlation_id);
        }
        if (versioned_) {
            members.try_emplace("schema_version", event_.schema_version);
        }
        return std::move(root());
    }

    bool is_normal(const std::string &name, const json &value) const {
        if (name == "payload") {
            return true;
        }
        if (name == "schema_version") {
            return versioned_ && value == event_.schema_version;
        }
        if (!value.is_string()) {
            return false;
        }
        const std::string &text = value.get_ref<const std::string &>();
        if (name == "event_id") {
            return Uuid::parse(text) == event_.id && is_lower(text);
        }
        if (name == "occurred_at") { // as format_time writes it
            return text.size() == 27 && text[10] == 'T' && text[19] == '.' && text[26] == 'Z' && parse_time(text) == event_.occurred_at;
        }
        const std::string *wanted = name == "event_type"       ? &event_.type
                                    : name == "tenant_id"      ? &event_.tenant_id
                                    : name == "correlation_id" ? &event_.correlation_id
                                                               : nullptr;
        return wanted && !wanted->empty() && text == *wanted;
    }

    const Plan &plan_;
    Event &event_;
    Content content_;
    Form form_ = Form::bare;
    bool versioned_ = false;
};

} // namespace

Uuid position_id(const Message &message) {
    const auto incarnation = Uuid::parse(message.incarnation);
    const Uuid name_space = incarnation ? *incarnation : Uuid::v5(weir_namespace(), message.incarnation);
    return Uuid::v5(name_space, std::to_string(message.partition) + '/' + format_position(message.position, message.two_part_position));
}

void read_envelope(const Plan &plan, Content content, Event &event) { Reader(plan, event, std::move(content)).read(); }

} // namespace weir::event
