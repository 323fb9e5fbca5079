// SPDX-License-Identifier: Apache-2.0
#include "envelope.hpp"

#include "value_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace weir::event {

namespace {

constexpr std::size_t kMaxIdentifierBytes = 1024;

/// How a message carries an envelope.
enum class Form { own, cloud_event, bare };

/// What was found for a member.
struct Member {
    const Node *value = nullptr; ///< null where there is none, or JSON null
    std::string_view where;      ///< a JSON pointer for messages
    bool stated = false;         ///< the binding says where it is: there it must be right
};

/// Takes one message apart. Lives for one call of `decode`; keeps the first refusal and reads on.
class Reader {
public:
    Reader(const Plan &plan, Event &event, const Content &content, Document &document)
        : plan_(plan), event_(event), content_(content), document_(document) {}

    void read() {
        event_.key = event_.message->key;
        event_.occurred_at = event_.message->appended_at;
        form_ = find_form();
        if (!root().is_object() && plan_.binding.envelope_required) {
            refuse("not_an_object", "The message is JSON but not an object; the topic's binding requires an envelope.");
            event_.id = position_id(*event_.message);
            document_.set_root(keep_object(std::array{named("payload", root())}));
            return;
        }
        if (!read_id()) {
            event_.id = position_id(*event_.message); // no two messages without an id may share one
        }
        read_type();
        read_time();
        event_.tenant_id = read_identifier(plan_.tenant_id, "/tenant_id", "/tenantid", tenant_text_);
        event_.correlation_id = read_identifier(plan_.correlation_id, "/correlation_id", "/correlationid", correlation_text_);
        read_schema_version();
        std::optional<std::string> key = make_key(plan_.keys, root());
        document_.set_root(normalise());
        if (!key) {
            // Pointers also reach into the envelope as plugins see it, so that one binding serves both forms of envelope.
            key = make_key(plan_.keys, document_.root());
        }
        if (key) {
            event_.key = std::move(*key);
        }
        if (!event_.refusal) {
            event_.refusal = plan_.contracts.check(event_.type, document_);
        }
    }

private:
    const Node &root() const { return content_.root; }

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
        const bool typed = find_member(root(), "event_type") != nullptr;
        const Node *version = typed ? nullptr : find_member(root(), "specversion");
        if (version && version->is_text()) {
            if (version->as_text() != "1.0") {
                refuse_invalid("/specversion", "is not \"1.0\", the version of CloudEvents that is understood.");
            }
            return Form::cloud_event;
        }
        const bool enveloped = find_member(root(), "payload") && (typed || find_member(root(), "event_id"));
        return enveloped || plan_.binding.envelope_required ? Form::own : Form::bare;
    }

    const Node *at(std::string_view pointer) const {
        const Node *value = find_value(root(), pointer);
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
        if (!member.value->is_text()) {
            if (member.stated || form_ != Form::bare) {
                refuse_invalid(member.where, "is not a string.");
            }
            return std::nullopt;
        }
        return member.value->as_text();
    }

    /// False where no id could be read.
    bool read_id() {
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
            id_text_ = *text;
        } else {
            event_.id = Uuid::v5(topic_namespace(), *text);
        }
        return true;
    }

    /// A CloudEvent's id is unique within its source only. [CloudEvents 1.0, "id"]
    bool read_cloud_event_id(std::string_view id) {
        const Node *source = at("/source");
        if (!source) {
            refuse_missing("/source");
            return false;
        }
        if (!source->is_text() || source->as_text().empty()) {
            refuse_invalid("/source", "is not a non-empty string.");
            return false;
        }
        event_.id = Uuid::v5(Uuid::v5(weir_namespace(), source->as_text()), id);
        return true;
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
            type_text_ = *text;
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
            time_text_ = *text;
        } else if (member.stated || form_ != Form::bare) {
            refuse_invalid(member.where, "is not an RFC 3339 time with a zone, or not one of the years 1 to 9999.");
        }
    }

    /// @param out_text becomes the text that it was read from
    std::string read_identifier(const Source &source, std::string_view own, std::string_view extension, std::string_view &out_text) {
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
        out_text = *text;
        return lower_if_uuid(*text);
    }

    void read_schema_version() {
        const Node *value = at(form_ == Form::cloud_event ? "/schemaversion" : "/schema_version");
        if (!value) {
            return;
        }
        std::int64_t version = -1;
        if (value->type == NodeType::signed_whole) {
            version = value->signed_whole;
        } else if (value->type == NodeType::whole) {
            version = static_cast<std::int64_t>(std::min<std::uint64_t>(value->whole, std::numeric_limits<std::int64_t>::max()));
        } else if (content_.flat && value->is_text()) {
            const std::string_view text = value->as_text();
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

    Node find_payload() {
        if (plan_.payload.kind == Source::Kind::fixed) {
            return Node::of_text(document_.keep(plan_.payload.text));
        }
        std::string_view where = form_ == Form::cloud_event ? "/data" : "/payload";
        if (plan_.payload.kind == Source::Kind::pointer) {
            where = plan_.payload.text;
        } else if (form_ == Form::bare) {
            return root();
        }
        if (const Node *value = find_value(root(), where)) {
            return *value;
        }
        if (form_ == Form::cloud_event && plan_.payload.kind == Source::Kind::own && at("/data_base64")) {
            refuse("unknown_encoding", "/data_base64 is binary data; JSON in /data is understood.");
        } else if (plan_.binding.envelope_required || plan_.payload.kind == Source::Kind::pointer) {
            refuse_missing(where);
        }
        return {};
    }

    static Node named(std::string_view name, Node value) {
        value.name = name;
        return value;
    }

    /// A member that is a text: the message's own where that is the same, else a copy.
    Node text_member(std::string_view name, std::string_view text, std::string_view own) {
        return named(name, Node::of_text(text == own ? own : document_.keep(text)));
    }

    Node time_member() {
        if (is_canonical_time(time_text_)) {
            return named("occurred_at", Node::of_text(time_text_));
        }
        return text_member("occurred_at", format_time(event_.occurred_at), {});
    }

    Node keep_object(std::span<const Node> members) {
        Node *kept = document_.make_nodes(members.size());
        std::copy(members.begin(), members.end(), kept);
        return document_.make_object(kept, members.size());
    }

    /// The envelope as contracts and plugins see it: seven members and nothing else, over the message's own values.
    Node normalise() {
        std::array<Node, 7> members;
        std::size_t count = 0;
        const Node payload = find_payload();
        if (!event_.correlation_id.empty()) {
            members[count++] = text_member("correlation_id", event_.correlation_id, correlation_text_);
        }
        members[count++] = text_member("event_id", UuidText(event_.id), id_text_);
        if (!event_.type.empty()) {
            members[count++] = text_member("event_type", event_.type, type_text_);
        }
        members[count++] = time_member();
        members[count++] = named("payload", payload);
        if (versioned_) {
            Node version;
            version.type = NodeType::signed_whole;
            version.signed_whole = event_.schema_version;
            members[count++] = named("schema_version", version);
        }
        if (!event_.tenant_id.empty()) {
            members[count++] = text_member("tenant_id", event_.tenant_id, tenant_text_);
        }
        return keep_object({members.data(), count});
    }

    const Plan &plan_;
    Event &event_;
    const Content &content_;
    Document &document_;
    Form form_ = Form::bare;
    bool versioned_ = false;
    // What members were read from: where a member of the envelope says the same, no text is copied.
    std::string_view id_text_;
    std::string_view type_text_;
    std::string_view time_text_;
    std::string_view tenant_text_;
    std::string_view correlation_text_;
};

} // namespace

Uuid position_id(const Message &message) {
    const auto incarnation = Uuid::parse(message.incarnation);
    const Uuid name_space = incarnation ? *incarnation : Uuid::v5(weir_namespace(), message.incarnation);
    return Uuid::v5(name_space, std::to_string(message.partition) + '/' + format_position(message.position, message.two_part_position));
}

void read_envelope(const Plan &plan, const Content &content, std::shared_ptr<Document> document, Event &event) {
    Reader(plan, event, content, *document).read();
    document->pack();
    event.envelope = std::move(document);
}

} // namespace weir::event
