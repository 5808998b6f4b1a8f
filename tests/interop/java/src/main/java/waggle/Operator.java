package waggle;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** Turns an engine's access control on and off and makes accounts and roles, as root. */
final class Operator {
  private final HttpClient http = HttpClient.newHttpClient();
  private final String engine;
  private final String password;

  Operator(String engine, String password) {
    this.engine = engine;
    this.password = password;
  }

  void turn(String mode) throws Exception {
    ask("PUT", "/waggle/v1/access", "{\"mode\":\"" + mode + "\",\"password\":\"" + password + "\",\"confirm\":true}", "");
  }

  void create(String account, String itsPassword) throws Exception {
    create(account, itsPassword, "developer");
  }

  void create(String account, String itsPassword, String role) throws Exception {
    asRoot("POST", "/v4/accounts",
        "{\"name\":\"" + account + "\",\"password\":\"" + itsPassword + "\",\"roles\":[\"" + role + "\"]}");
  }

  /** A role that may look at services, and nothing else. */
  void createLooker() throws Exception {
    asRoot("POST", "/v4/roles", "{\"name\":\"looker\",\"perms\":[{\"resources\":[{\"type\":\"service\"}],\"verbs\":[\"get\"]}]}");
  }

  /** It counts from the account's next token on. */
  void promote(String account) throws Exception {
    asRoot("PUT", "/v4/accounts/" + account, "{\"roles\":[\"developer\"]}");
  }

  private void asRoot(String method, String path, String body) throws Exception {
    String login = ask("POST", "/v4/token", "{\"name\":\"root\",\"password\":\"" + password + "\"}", "");
    ask(method, path, body, "Bearer " + login.replaceAll(".*\"token\":\"([^\"]+)\".*", "$1"));
  }

  private String ask(String method, String path, String body, String authorization) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(engine + path)).method(method, BodyPublishers.ofString(body));
    if (!authorization.isEmpty()) {
      request.header("Authorization", authorization);
    }
    HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
    }
    return answer.body();
  }
}
