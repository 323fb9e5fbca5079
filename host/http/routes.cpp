// SPDX-License-Identifier: Apache-2.0
#include "http/routes.hpp"

#include "http/response_cache.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace weir::http {

namespace {

constexpr std::size_t kMethods = 7;

struct Pattern {
    struct Segment {
        enum class Kind : std::uint8_t { literal, one, rest } kind = Kind::literal;
        std::string text; ///< the literal, or the parameter's name
    };
    std::vector<Segment> segments;
    std::string problem;
};

Pattern parse_pattern(std::string_view text) {
    Pattern pattern;
    if (text.empty() || text.front() != '/') {
        pattern.problem = "a pattern begins with '/'";
        return pattern;
    }
    text.remove_prefix(1);
    std::set<std::string> names;
    while (!text.empty()) {
        const std::size_t slash = std::min(text.find('/'), text.size());
        std::string_view part = text.substr(0, slash);
        text.remove_prefix(std::min(slash + 1, text.size()));
        Pattern::Segment segment;
        if (!part.empty() && part.front() == '{' && part.back() == '}' && part.size() > 2) {
            part = part.substr(1, part.size() - 2);
            segment.kind = Pattern::Segment::Kind::one;
            if (part.size() > 3 && part.substr(part.size() - 3) == "...") {
                part.remove_suffix(3);
                segment.kind = Pattern::Segment::Kind::rest;
            }
            if (part.find_first_of("{}") != std::string_view::npos || !names.insert(std::string(part)).second) {
                pattern.problem = "the parameter {" + std::string(part) + "} is there twice, or holds a brace";
            }
            if (segment.kind == Pattern::Segment::Kind::rest && !text.empty()) {
                pattern.problem = "{" + std::string(part) + "...} may only be the last segment";
            }
        } else if (part.empty() || part == "." || part == ".." || part.find_first_of("{}%?#\\ ") != std::string_view::npos) {
            pattern.problem = "the segment \"" + std::string(part) + "\" is neither a literal nor a {parameter}";
        }
        segment.text = part;
        pattern.segments.push_back(std::move(segment));
        if (!pattern.problem.empty()) {
            return pattern;
        }
    }
    return pattern;
}

std::string title_of(const Route &route) {
    return std::string(text_of(route.method)) + " " + route.pattern + (route.owner.empty() ? "" : " of " + route.owner);
}

std::string fault_of(const Route &route, const Pattern &pattern) {
    if (!pattern.problem.empty()) {
        return pattern.problem;
    }
    if (route.method == Method::head || route.method == Method::options) {
        return "HEAD and OPTIONS are answered by the server itself";
    }
    if (static_cast<bool>(route.handler) == static_cast<bool>(route.async)) {
        return "a route has one handler";
    }
    if (route.options.max_age.count() != 0 && route.method != Method::get) {
        return "only answers to GET are kept (max_age)";
    }
    return {};
}

} // namespace

// A route with where its parameters are.
struct Routes::Place {
    const Route *route = nullptr;
    Pattern pattern;
};

// A tree by segments. Each node has at most one route a method.
struct Routes::Node {
    std::map<std::string, Node, std::less<>> literals;
    std::unique_ptr<Node> one;
    std::unique_ptr<Node> rest;
    std::array<const Place *, kMethods> places{};

    bool any() const {
        return std::any_of(places.begin(), places.end(), [](const Place *place) { return place != nullptr; });
    }

    /// Adds the nodes that fit the rest of a path, the best one first.
    void find(const std::vector<std::string> &segments, std::size_t at, std::vector<const Node *> &out) const {
        if (at == segments.size()) {
            if (any()) {
                out.push_back(this);
            }
        } else {
            if (const auto literal = literals.find(segments[at]); literal != literals.end()) {
                literal->second.find(segments, at + 1, out);
            }
            if (one && !segments[at].empty()) {
                one->find(segments, at + 1, out);
            }
        }
        if (rest && rest->any()) {
            out.push_back(rest.get());
        }
    }
};

Routes::Routes() : root_(std::make_unique<Node>()), cache_(std::make_unique<ResponseCache>()) {}
Routes::~Routes() = default;

Routes::Built Routes::build(std::vector<Route> routes) {
    Built built;
    std::shared_ptr<Routes> table(new Routes);
    table->routes_ = std::move(routes);
    std::map<std::string, const Route *> operations;
    for (const Route &route : table->routes_) {
        const auto refuse = [&](const std::string &why) {
            built.problems.push_back(title_of(route) + why);
            built.refused.push_back(static_cast<std::size_t>(&route - table->routes_.data()));
        };
        Pattern pattern = parse_pattern(route.pattern);
        if (const std::string fault = fault_of(route, pattern); !fault.empty()) {
            refuse(" is refused: " + fault);
            continue;
        }
        Node *node = table->root_.get();
        for (const Pattern::Segment &segment : pattern.segments) {
            if (segment.kind == Pattern::Segment::Kind::literal) {
                node = &node->literals[segment.text];
                continue;
            }
            std::unique_ptr<Node> &next = segment.kind == Pattern::Segment::Kind::one ? node->one : node->rest;
            if (!next) {
                next = std::make_unique<Node>();
            }
            node = next.get();
        }
        const Place *&place = node->places[static_cast<std::size_t>(route.method)];
        if (place != nullptr) {
            refuse(" matches the same paths as " + title_of(*place->route));
            continue;
        }
        if (const std::string &id = route.description.operation_id; !id.empty() && !operations.emplace(id, &route).second) {
            refuse(" has the operation id " + id + " of " + title_of(*operations[id]));
            continue;
        }
        table->places_.push_back(std::make_unique<Place>(Place{&route, std::move(pattern)}));
        place = table->places_.back().get();
    }
    if (built.problems.empty()) {
        built.routes = std::move(table);
    }
    return built;
}

Routes::Match Routes::match(Method method, const std::vector<std::string> &segments) const {
    Match match;
    std::vector<const Node *> nodes;
    root_->find(segments, 0, nodes);
    std::array<bool, kMethods> allowed{};
    const Place *found = nullptr;
    for (const Node *node : nodes) {
        for (std::size_t index = 0; index < kMethods; ++index) {
            allowed[index] = allowed[index] || node->places[index] != nullptr;
        }
        if (found == nullptr) {
            found = node->places[static_cast<std::size_t>(method)];
        }
    }
    if (found == nullptr) {
        allowed[static_cast<std::size_t>(Method::head)] = allowed[static_cast<std::size_t>(Method::get)];
        allowed[static_cast<std::size_t>(Method::options)] = !nodes.empty();
        for (std::size_t index = 0; index < kMethods; ++index) {
            if (allowed[index]) {
                match.allowed += match.allowed.empty() ? "" : ", ";
                match.allowed += text_of(static_cast<Method>(index));
            }
        }
        return match;
    }
    match.route = found->route;
    for (std::size_t at = 0; at < found->pattern.segments.size(); ++at) {
        const Pattern::Segment &segment = found->pattern.segments[at];
        if (segment.kind == Pattern::Segment::Kind::one) {
            match.parameters.push_back({segment.text, segments[at]});
        } else if (segment.kind == Pattern::Segment::Kind::rest) {
            std::string rest;
            for (std::size_t next = at; next < segments.size(); ++next) {
                rest += (next == at ? "" : "/") + segments[next];
            }
            match.parameters.push_back({segment.text, std::move(rest)});
        }
    }
    return match;
}

} // namespace weir::http
