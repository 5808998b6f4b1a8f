package waggle;

import com.google.common.eventbus.EventBus;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.http.client.config.RequestConfig;
import org.apache.servicecomb.dashboard.client.DashboardAddressManager;
import org.apache.servicecomb.dashboard.client.DashboardClient;
import org.apache.servicecomb.dashboard.client.model.InterfaceInfo;
import org.apache.servicecomb.dashboard.client.model.MonitorData;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.http.client.common.HttpTransportFactory;
import org.apache.servicecomb.service.center.client.ServiceCenterAddressManager;
import org.apache.servicecomb.service.center.client.ServiceCenterClient;
import org.apache.servicecomb.service.center.client.model.Microservice;

/**
 * Uploads dashboard data through the library that Java Chassis and Spring Cloud Huawei use. It tells nobody whether that succeeded, so after each
 * upload a line `now WORD` asks whoever runs this to look at what the engine has. Arguments: the engine's address, and one where nobody listens.
 */
public final class DashboardCheck extends Check {
  private static final String PATH = "/v2/default/csemonitor/metric?service=cart";

  private final String engine;
  private MonitorData data;

  private DashboardCheck(String engine) {
    this.engine = engine;
  }

  public static void main(String[] arguments) throws Exception {
    DashboardCheck check = new DashboardCheck(arguments[0]);
    check.describe();
    check.uploads(List.of(arguments[0]));
    check.restart(List.of(arguments[0]));
    check.oneAddressFails(List.of(arguments[1], arguments[0]));
    check.end();
  }

  /** The service and its instance, as registered. */
  private void describe() {
    ServiceCenterAddressManager addresses = new ServiceCenterAddressManager("default", List.of(engine), new EventBus());
    ServiceCenterClient registry =
        new ServiceCenterClient(addresses, new SSLProperties(), request -> Collections.emptyMap(), "default", new HashMap<>());
    Microservice service = Registrations.service("mall", "cart");
    String serviceId = registry.registerMicroservice(service).getServiceId();
    String instanceId = registry.registerMicroserviceInstance(Registrations.instance(serviceId, 8080)).getInstanceId();
    data = Registrations.monitored(service, serviceId, instanceId);
    data.setCpu(12.5);
    data.setLoadAverage(1.5);
    data.setUptime(18_070);
    data.setMemory(Map.of("heapUsed", 21_773_768L, "nonHeapUsed", 67_559_576L, "headMax", 268_435_456L));
    check("registered", !instanceId.isEmpty(), instanceId);
  }

  private void uploads(List<String> addresses) throws Exception {
    DashboardClient client = client(addresses);
    send(client, info("Provider.cart.api.list", 40.0), info("Provider.cart.api.buy", 10.0));
    wish("shown");
    InterfaceInfo changed = info("Provider.cart.api.buy", 2.0);
    changed.setCircuitBreakerOpen(true);
    changed.setFailureRate(Double.NaN);
    send(client, changed);
    wish("merged");
  }

  private void restart(List<String> addresses) throws Exception {
    DashboardClient client = client(addresses);
    wish("kill");
    send(client, info("Provider.cart.api.list", 1.0));
    wish("start");
    send(client, info("Provider.cart.api.list", 7.0));
    wish("again");
  }

  /** The library tries an address once an upload, and leaves it after failures; the next upload goes to the next. */
  private void oneAddressFails(List<String> addresses) throws Exception {
    DashboardClient client = client(addresses);
    for (int upload = 0; upload < addresses.size(); upload++) {
      send(client, info("Provider.cart.api.list", 9.0));
    }
    wish("elsewhere");
  }

  private void send(DashboardClient client, InterfaceInfo... interfaces) {
    data.setInterfaces(List.of(interfaces));
    client.sendData(PATH, data);
  }

  private static InterfaceInfo info(String name, double rate) {
    InterfaceInfo info = new InterfaceInfo();
    info.setName(name);
    info.setDesc(name);
    info.setQps(rate);
    info.setTotal((long) (10 * rate));
    info.setLatency(15);
    info.setL99(80);
    return info;
  }

  private static DashboardClient client(List<String> addresses) {
    return new DashboardClient(
        new DashboardAddressManager(new ArrayList<>(addresses), new EventBus()),
        HttpTransportFactory.createHttpTransport(new SSLProperties(), request -> Collections.emptyMap(), RequestConfig.custom().build()));
  }
}
