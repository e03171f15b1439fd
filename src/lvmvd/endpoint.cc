// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/endpoint.h"

#include "lvmvd/requests.h"
#include "lvmvd/startup.h"

namespace volplugin::lvmvd {
namespace {

// With the 55 s that the undoing of a call may take, still less than the 90 s systemd waits by default.
constexpr Millis kGrace{30'000};
constexpr mode_t kSocketMode = 0660;
constexpr unsigned kDockerCalls = 64;  // calls blocked by slow storage must leave room for the others
constexpr size_t kLoggedBody = 4096;
constexpr const char* kContentType = "application/vnd.docker.plugins.v1.1+json";

// Writes an answer down before it goes out.
class LoggedReply final : public http::Reply::Sink {
 public:
  LoggedReply(http::Reply reply, const Log& log) : reply_(std::move(reply)), log_(log) {}

  void send(http::Response response) override {
    if (response.content_type == kContentType) response.body = escape_markup(response.body);
    log_.debug(fmt::format("{}: {}", response.status, response.body.substr(0, kLoggedBody)));
    reply_.send(std::move(response));
  }
  void abandon() override { reply_.abandon(); }

 private:
  const http::Reply reply_;
  const Log& log_;
};

void log_call(const Log& log, const http::Request& request, const dockerplugin::VolumeRequest& call) {
  const std::string text = fmt::format("{} called for volume {}", request.path, call.name);
  const bool question = request.path == "/VolumeDriver.Get" || request.path == "/VolumeDriver.Path";
  // Docker asks all the time.
  if (question)
    log.debug(text);
  else
    log.line(text);
}

dockerplugin::PluginSettings plugin_settings(const Log& log) {
  dockerplugin::PluginSettings settings{"local"};
  settings.content_type = kContentType;
  settings.verbs = dockerplugin::Verbs::any;
  settings.parse = parse_request;
  settings.lost_its_body = comes_from_engine;
  settings.not_part_of_it = http::Response{
      404, "text/plain; charset=utf-8", {{"X-Content-Type-Options", "nosniff"}}, "404 page not found\n"};
  settings.called = [&log](const http::Request& request, const dockerplugin::VolumeRequest& call) {
    log_call(log, request, call);
  };
  return settings;
}

http::Limits limits_for(const Settings& settings) {
  http::Limits limits;
  limits.allow_empty_host = true;
  limits.handler_threads = kDockerCalls;
  limits.keep_alive = settings.listener == "http";
  return limits;
}

}  // namespace

Endpoint::~Endpoint() {
  // First, so that Docker stops trying the address.
  spec_file_.reset();
  if (server_) server_->stop(kGrace);
}

Result<std::unique_ptr<Endpoint>> Endpoint::open(const Settings& settings, Parts parts) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(parts));
  Endpoint* self = endpoint.get();
  endpoint->server_ = std::make_unique<http::Server>(
      limits_for(settings),
      [self](const http::Request& request, const http::Reply& reply) { self->handle(request, reply); });
  if (settings.listener == "http")
    TRY(endpoint->listen_http(settings));
  else
    TRY_CTX(endpoint->listen_unix(settings), "Cannot create socket file");
  return endpoint;
}

Result<> Endpoint::listen_unix(const Settings& settings) {
  address_ = TRY(socket_path(settings.sock_file));
  TRY(ensure_directory_of(address_, parts_.group));
  TRY(server_->listen("unix://" + address_, {kSocketMode, parts_.group.id_for(address_)}));
  return {};
}

Result<> Endpoint::listen_http(const Settings& settings) {
  address_ = address_of(settings);
  spec_path_ = TRY(spec_path(settings.json_file));
  // A name with addresses of both kinds is served on the IPv4 one, as clients that write 127.0.0.1 expect.
  Settings bound = settings;
  if (bound.host == "localhost") bound.host = "127.0.0.1";
  TRY(server_->listen(address_of(bound)));
  return {};
}

Result<> Endpoint::serve(service::VolumeService& volumes) {
  plugin_ = std::make_unique<dockerplugin::Plugin>(
      volumes, parts_.clock, plugin_settings(parts_.log),
      [&log = parts_.log](const std::string& line) { log.line(line); });
  TRY(server_->start());
  if (!spec_path_.empty())
    spec_file_ =
        TRY_CTX(SpecFile::write(spec_path_, address_, parts_.group), "writing the spec file {}", spec_path_);
  parts_.log.line(fmt::format("Start listening on {}", address_));
  return {};
}

void Endpoint::handle(const http::Request& request, const http::Reply& reply) {
  parts_.log.debug(fmt::format("Request: {} {}, body: {}", request.method, request.path,
                               request.body.substr(0, kLoggedBody)));
  plugin_->handle(request, http::Reply(std::make_shared<LoggedReply>(reply, parts_.log)));
}

}  // namespace volplugin::lvmvd
