package waggle;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** Turns an engine's access control on and off and makes accounts, as root. */
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
    String login = ask("POST", "/v4/token", "{\"name\":\"root\",\"password\":\"" + password + "\"}", "");
    String token = login.replaceAll(".*\"token\":\"([^\"]+)\".*", "$1");
    String body = "{\"name\":\"" + account + "\",\"password\":\"" + itsPassword + "\",\"roles\":[\"developer\"]}";
    ask("POST", "/v4/accounts", body, "Bearer " + token);
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
