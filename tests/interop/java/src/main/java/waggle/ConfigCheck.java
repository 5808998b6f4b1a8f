package waggle;

import com.google.common.eventbus.EventBus;
import com.google.common.eventbus.Subscribe;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.http.client.config.RequestConfig;
import org.apache.servicecomb.config.center.client.ConfigCenterAddressManager;
import org.apache.servicecomb.config.center.client.ConfigCenterClient;
import org.apache.servicecomb.config.center.client.ConfigCenterManager;
import org.apache.servicecomb.config.center.client.model.ConfigCenterConfiguration;
import org.apache.servicecomb.config.center.client.model.QueryConfigurationsRequest;
import org.apache.servicecomb.config.center.client.model.QueryConfigurationsResponse;
import org.apache.servicecomb.config.common.ConfigConverter;
import org.apache.servicecomb.config.common.ConfigurationChangedEvent;
import org.apache.servicecomb.config.kie.client.KieClient;
import org.apache.servicecomb.config.kie.client.KieConfigManager;
import org.apache.servicecomb.config.kie.client.model.ConfigurationsRequest;
import org.apache.servicecomb.config.kie.client.model.ConfigurationsResponse;
import org.apache.servicecomb.config.kie.client.model.KieAddressManager;
import org.apache.servicecomb.config.kie.client.model.KieConfiguration;
import org.apache.servicecomb.http.client.auth.RequestAuthHeaderProvider;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.http.client.common.HttpTransport;
import org.apache.servicecomb.http.client.common.HttpTransportFactory;

/**
 * Reads an engine's configuration through the client libraries that Java Chassis and Spring Cloud Huawei use, for KIE and for Config Center
 * 1.0, and prints what they made of it: one line a check, `ok NAME | SAW` or `bad NAME | SAW`. Argument: the engine's address.
 */
public final class ConfigCheck extends Check {
  private static final RequestAuthHeaderProvider NO_AUTH = request -> Collections.emptyMap();
  private static final String APP = "{\"app\":\"mall\",\"environment\":\"\"}";
  private static final String SERVICE = "{\"app\":\"mall\",\"service\":\"cart\",\"environment\":\"\"}";
  private static final String VERSION = "{\"app\":\"mall\",\"service\":\"cart\",\"version\":\"1.0.0\",\"environment\":\"\"}";
  private static final String CUSTOM = "{\"public\":\"\"}";

  private final String engine;
  private final HttpClient http = HttpClient.newHttpClient();

  private ConfigCheck(String engine) {
    this.engine = engine;
  }

  public static void main(String[] arguments) throws Exception {
    ConfigCheck check = new ConfigCheck(arguments[0]);
    check.kieCalls();
    check.kieTask();
    check.configCenterCalls();
    check.configCenterTask();
    check.end();
  }

  private void kieCalls() throws Exception {
    EventBus events = new EventBus();
    KieAddressManager addresses = new KieAddressManager(List.of(engine), events);
    KieClient client = new KieClient(addresses, transport(), kieConfiguration().setPollingWaitInSeconds(1));
    ConfigurationsRequest request = new ConfigurationsRequest().setOrder(1).setWithExact(true)
        .setLabelsQuery("label=app%3Amall&label=environment%3A").setRevision(ConfigurationsRequest.INITIAL_REVISION);
    ConfigurationsResponse first = client.queryConfigurations(request, addresses.address());
    check("kie: nothing is there yet", first.isChanged() && first.getConfigurations().isEmpty(), first.getConfigurations());
    request.setRevision(first.getRevision());
    check("kie: the revision is a number", first.getRevision().matches("\\d+"), first.getRevision());
    put("one", "1", "text", APP);
    put("app.yaml", "deep:\\n  list: [a, b]\\n", "yaml", APP);
    put("app.properties", "from.file = yes", "properties", APP);
    ConfigurationsResponse second = client.queryConfigurations(request, addresses.address());
    Map<String, Object> seen = second.getConfigurations();
    check("kie: a text item is one property", "1".equals(seen.get("one")), seen);
    check("kie: a yaml item is its properties", "a".equals(String.valueOf(seen.get("deep.list[0]"))), seen);
    check("kie: a properties item is its properties", "yes".equals(seen.get("from.file")), seen);
    request.setRevision(second.getRevision());
    ConfigurationsResponse third = client.queryConfigurations(request, addresses.address());
    check("kie: the same revision is not changed", !third.isChanged(), third.isChanged());
  }

  private void kieTask() throws Exception {
    Changes changes = new Changes();
    KieAddressManager addresses = new KieAddressManager(List.of(engine), changes.events);
    KieConfiguration configuration = kieConfiguration();
    ConfigConverter converter = new ConfigConverter(List.of());
    KieClient client = new KieClient(addresses, transport(), configuration);
    KieConfigManager manager = new KieConfigManager(client, changes.events, configuration, converter, addresses);
    put("level", "app", "text", APP);
    manager.firstPull();
    check("kie task: the first pull has it", "app".equals(converter.getCurrentData().get("level")), converter.getCurrentData());
    manager.startConfigKieManager();
    for (String[] step : new String[][] {{"service", SERVICE}, {"version", VERSION}, {"custom", CUSTOM}}) {
      long started = System.nanoTime();
      put("level", step[0], "text", step[1]);
      ConfigurationChangedEvent event = changes.until("level", step[0]);
      long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);
      check("kie task: " + step[0] + " is heard of", event != null, millis + " ms");
    }
    delete("level", "label=public:");
    check("kie task: a deletion uncovers what is below", changes.until("level", "version") != null, "level");
  }

  private void configCenterCalls() throws Exception {
    EventBus events = new EventBus();
    ConfigCenterAddressManager addresses = new ConfigCenterAddressManager("default", List.of(engine), events);
    ConfigCenterClient client = new ConfigCenterClient(addresses, transport());
    QueryConfigurationsRequest request = Registrations.configuration("mall", "cart");
    QueryConfigurationsResponse first = client.queryConfigurations(request, addresses.address());
    Map<String, Object> seen = first.getConfigurations();
    check("config center: an item of the application", "1".equals(seen.get("one")), seen);
    check("config center: a yaml item is its properties", "a".equals(seen.get("deep.list[0]")), seen);
    check("config center: the most specific wins", "version".equals(seen.get("level")), seen.get("level"));
    request.setRevision(first.getRevision());
    check("config center: the same revision is not changed",
        !client.queryConfigurations(request, addresses.address()).isChanged(), first.getRevision());
    put("elsewhere", "1", "text", "{\"app\":\"other\",\"environment\":\"\"}");
    check("config center: what others have changes nothing",
        !client.queryConfigurations(request, addresses.address()).isChanged(), first.getRevision());
    client.checkAddressAvailable(addresses.address());
  }

  private void configCenterTask() throws Exception {
    Changes changes = new Changes();
    ConfigCenterAddressManager addresses = new ConfigCenterAddressManager("default", List.of(engine), changes.events);
    ConfigCenterClient client = new ConfigCenterClient(addresses, transport());
    ConfigCenterConfiguration configuration = new ConfigCenterConfiguration().setRefreshIntervalInMillis(100);
    ConfigConverter converter = new ConfigConverter(List.of());
    ConfigCenterManager manager = new ConfigCenterManager(client, changes.events, converter, configuration, addresses);
    manager.setQueryConfigurationsRequest(Registrations.configuration("mall", "cart"));
    manager.startConfigCenterManager();
    String body = "{\"dimensionsInfo\":\"cart@mall#1.0.0\",\"items\":{\"from.center\":\"yes\"}}";
    send("POST", "/v3/default/configuration/items", body);
    check("config center task: its own write is heard of", changes.until("from.center", "yes") != null, "from.center");
  }

  private static KieConfiguration kieConfiguration() {
    return new KieConfiguration().setProject("default").setAppName("mall").setServiceName("cart").setVersion("1.0.0")
        .setEnvironment("").setEnableAppConfig(true).setEnableServiceConfig(true).setEnableVersionConfig(true)
        .setEnableCustomConfig(true).setCustomLabel("public").setCustomLabelValue("").setEnableLongPolling(true)
        .setPollingWaitInSeconds(10).setRefreshIntervalInMillis(15000).setFirstPullRequired(true);
  }

  private static HttpTransport transport() {
    // As the frameworks do: the socket waits for twice as long as a poll.
    RequestConfig twice = HttpTransportFactory.defaultRequestConfig().setSocketTimeout(20_000).build();
    return HttpTransportFactory.createHttpTransport(new SSLProperties(), NO_AUTH, twice);
  }

  private void put(String key, String value, String type, String labels) throws Exception {
    String body = "{\"key\":\"" + key + "\",\"value\":\"" + value + "\",\"value_type\":\"" + type
        + "\",\"status\":\"enabled\",\"labels\":" + labels + "}";
    send("PUT", "/waggle/v1/config/items", body);
  }

  private void delete(String key, String label) throws Exception {
    send("DELETE", "/waggle/v1/config/items?key=" + key + "&" + label, "");
  }

  private void send(String method, String path, String body) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(engine + path)).header("Content-Type", "application/json")
        .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
    var answer = http.send(request, BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      check("write is taken", false, method + " " + path + " " + answer.statusCode() + " " + answer.body());
    }
  }

  /** What the libraries tell of changes. */
  public static final class Changes {
    private final EventBus events = new EventBus();
    private final BlockingQueue<ConfigurationChangedEvent> heard = new LinkedBlockingQueue<>();

    private Changes() {
      events.register(this);
    }

    @Subscribe
    public void onChange(ConfigurationChangedEvent event) {
      heard.add(event);
    }

    private ConfigurationChangedEvent until(String key, String value) throws InterruptedException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
      while (System.nanoTime() < end) {
        ConfigurationChangedEvent event = heard.poll(1, TimeUnit.SECONDS);
        if (event != null && value.equals(event.getComplete().get(key))) {
          return event;
        }
      }
      return null;
    }
  }
}
