package waggle;

import com.google.common.eventbus.EventBus;
import com.google.common.eventbus.Subscribe;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.apache.http.client.config.RequestConfig;
import org.apache.servicecomb.config.center.client.ConfigCenterAddressManager;
import org.apache.servicecomb.config.center.client.ConfigCenterClient;
import org.apache.servicecomb.config.center.client.ConfigCenterManager;
import org.apache.servicecomb.config.center.client.model.ConfigCenterConfiguration;
import org.apache.servicecomb.config.common.ConfigConverter;
import org.apache.servicecomb.config.common.ConfigurationChangedEvent;
import org.apache.servicecomb.config.kie.client.KieClient;
import org.apache.servicecomb.config.kie.client.KieConfigManager;
import org.apache.servicecomb.config.kie.client.model.ConfigurationsRequest;
import org.apache.servicecomb.config.kie.client.model.KieAddressManager;
import org.apache.servicecomb.config.kie.client.model.KieConfiguration;
import org.apache.servicecomb.http.client.auth.RequestAuthHeaderProvider;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.http.client.common.HttpTransport;
import org.apache.servicecomb.http.client.common.HttpTransportFactory;
import org.apache.servicecomb.service.center.client.DiscoveryEvents.PullInstanceEvent;
import org.apache.servicecomb.service.center.client.RegistrationEvents.HeartBeatEvent;
import org.apache.servicecomb.service.center.client.RegistrationEvents.MicroserviceInstanceRegistrationEvent;
import org.apache.servicecomb.service.center.client.ServiceCenterAddressManager;
import org.apache.servicecomb.service.center.client.ServiceCenterClient;
import org.apache.servicecomb.service.center.client.ServiceCenterDiscovery;
import org.apache.servicecomb.service.center.client.ServiceCenterRegistration;
import org.apache.servicecomb.service.center.client.ServiceCenterWatch;
import org.apache.servicecomb.service.center.client.model.FindMicroserviceInstancesResponse;
import org.apache.servicecomb.service.center.client.model.Microservice;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstance;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstanceStatus;
import org.apache.servicecomb.service.center.client.model.ServiceCenterConfiguration;

/**
 * The client libraries of Java Chassis and Spring Cloud Huawei with an address where nobody listens, through an engine's sudden end and
 * its return, and at a service's own shutdown. One line a check: `ok NAME | SAW` or `bad NAME | SAW`. A line `now WORD` asks whoever runs
 * this to kill or to start the engine and to answer with a line. Arguments: the engine's address, and that of nobody.
 */
public final class OutageCheck extends Check {
  private static final RequestAuthHeaderProvider NO_AUTH = request -> Collections.emptyMap();
  private static final String APP = "outage-java";
  private static final String LABELS = "{\"app\":\"" + APP + "\",\"environment\":\"\"}";

  private final String engine;
  private final String nobody;
  private final EventBus events = new EventBus();
  private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
  private final Changes kieChanges = new Changes();
  private final Changes centerChanges = new Changes();
  private final ServiceCenterAddressManager addresses;
  private final ServiceCenterClient client;
  private final HttpClient http = HttpClient.newHttpClient();
  private final Microservice own = Registrations.service(APP, "own");
  private final MicroserviceInstance ownInstance = Registrations.instance(null, 1);
  private final Microservice provider = Registrations.service(APP, "provider");
  private String providerId;

  private OutageCheck(String engine, String nobody) {
    this.engine = engine;
    this.nobody = nobody;
    addresses = new ServiceCenterAddressManager("default", one(), events);
    client = client(addresses, events);
    events.register(this);
  }

  public static void main(String[] arguments) throws Exception {
    OutageCheck check = new OutageCheck(arguments[0], arguments[1]);
    check.severalAddresses();
    check.restart();
    check.end();
  }

  @Subscribe
  public void onRegistered(MicroserviceInstanceRegistrationEvent event) {
    heard.add(event);
  }

  @Subscribe
  public void onHeartBeat(HeartBeatEvent event) {
    heard.add(event);
  }

  @Subscribe
  public void onPull(PullInstanceEvent event) {
    heard.add(event);
  }

  /** The libraries choose where they begin, so each is asked more often than there are addresses. */
  private void severalAddresses() {
    List<String> both = new ArrayList<>(List.of(nobody, engine));
    EventBus bus = new EventBus();
    ServiceCenterClient two = client(new ServiceCenterAddressManager("default", both, bus), bus);
    providerId = two.registerMicroservice(provider).getServiceId();
    String instanceId = two.registerMicroserviceInstance(Registrations.instance(providerId, 2)).getInstanceId();
    boolean beats = true;
    for (int times = 0; times < 10; times++) {
      beats &= two.sendHeartBeat(providerId, instanceId);
    }
    check("several addresses: each call of the registry is answered", beats, instanceId);
    KieAddressManager kieAddresses = new KieAddressManager(both, bus);
    KieClient kie = new KieClient(kieAddresses, transport(), kieConfiguration());
    int failed = 0;
    boolean last = false;
    for (int times = 0; times < 20; times++) {
      ConfigurationsRequest request = new ConfigurationsRequest().setOrder(1).setWithExact(true)
          .setLabelsQuery("label=app%3A" + APP).setRevision(ConfigurationsRequest.INITIAL_REVISION);
      last = changed(kie, request, kieAddresses.address());
      failed += last ? 0 : 1;
    }
    check("several addresses: KIE leaves the one that fails", last && failed <= 3, failed + " of 20 failed");
    center(new ArrayList<>(List.of(nobody, engine)), bus);
  }

  private void center(List<String> both, EventBus bus) {
    ConfigCenterAddressManager centerAddresses = new ConfigCenterAddressManager("default", both, bus);
    ConfigCenterClient center = new ConfigCenterClient(centerAddresses, transport());
    int failed = 0;
    boolean last = false;
    for (int times = 0; times < 20; times++) {
      try {
        last = center.queryConfigurations(Registrations.configuration(APP, "own"), centerAddresses.address()).isChanged();
      } catch (RuntimeException error) {
        last = false;
      }
      failed += last ? 0 : 1;
    }
    check("several addresses: Config Center leaves the one that fails", last && failed <= 3, failed + " of 20 failed");
  }

  private static boolean changed(KieClient kie, ConfigurationsRequest request, String address) {
    try {
      return kie.queryConfigurations(request, address).isChanged();
    } catch (RuntimeException error) {
      return false;
    }
  }

  private void restart() throws Exception {
    ServiceCenterRegistration registration =
        new ServiceCenterRegistration(client, new ServiceCenterConfiguration().setCanOverwriteSwagger(true), events);
    registration.setMicroservice(own).setMicroserviceInstance(ownInstance).setHeartBeatInterval(1000)
        .setHeartBeatRequestTimeout(3000).setSchemaInfos(List.of()).startRegistration();
    await(event -> event instanceof MicroserviceInstanceRegistrationEvent);
    String instanceId = ownInstance.getInstanceId();
    check("restart: registered before it", instanceId != null, instanceId);
    ServiceCenterDiscovery.SubscriptionKey key = new ServiceCenterDiscovery.SubscriptionKey(APP, provider.getServiceName());
    ServiceCenterDiscovery discovery = new ServiceCenterDiscovery(client, events).setPollInterval(1000);
    discovery.updateMyselfServiceId(own.getServiceId());
    discovery.registerIfNotPresent(key);
    discovery.startDiscovery();
    ServiceCenterWatch watch = new ServiceCenterWatch(addresses, new SSLProperties(), NO_AUTH, "default", new HashMap<>(), events);
    watch.startWatch("default", own.getServiceId());
    startConfiguration();
    write("before", "1");
    check("restart: KIE tells of a change before it", kieChanges.tell("before", "1"), "before");
    check("restart: Config Center tells of a change before it", centerChanges.tell("before", "1"), "before");
    check("restart: discovery sees the provider before it", cached(discovery, key, 1), provider.getServiceName());
    revisions(discovery, key);

    ask("kill");
    check("restart: the library tells that heartbeats fail", beaten(false), instanceId);
    check("restart: what was discovered stays", cached(discovery, key, 1), discovery.getInstanceCache(key).size());
    ask("start");
    check("restart: heartbeats are taken again", beaten(true), ownInstance.getInstanceId());
    check("restart: it is the same instance", instanceId.equals(ownInstance.getInstanceId()), ownInstance.getInstanceId());
    check("restart: it is registered once", count(own) == 1, count(own));
    write("after", "2");
    check("restart: KIE tells of a change after it", kieChanges.tell("after", "2"), "after");
    check("restart: Config Center tells of a change after it", centerChanges.tell("after", "2"), "after");
    pulls(discovery, key);
    watch.stop();
    shutdown(registration, instanceId);
    discovery.stop();
  }

  /** A push is followed by a find with the revision that is known, which is modified, and by one that is not. */
  private void revisions(ServiceCenterDiscovery discovery, ServiceCenterDiscovery.SubscriptionKey key) throws Exception {
    String before = find(provider, "").getRevision();
    Object pushed = null;
    // The watch tells nobody when it is connected, so instances come until it speaks.
    for (int port = 3; port < 23 && pushed == null; port++) {
      heard.clear();
      client.registerMicroserviceInstance(Registrations.instance(providerId, port));
      pushed = await(heard, 1, event -> event instanceof PullInstanceEvent);
    }
    check("watch: it tells of an instance", pushed != null, providerId);
    FindMicroserviceInstancesResponse after = find(provider, before);
    check("watch: the revision is another one", after.isModified() && !before.equals(after.getRevision()), after.getRevision());
    check("watch: that one is not modified", !find(provider, after.getRevision()).isModified(), 304);
    int all = after.getMicroserviceInstancesResponse().getInstances().size();
    check("watch: discovery has it", cached(discovery, key, all), all);
  }

  /** The library begins its watch again after an error, and a connection that ends is none to it. */
  private void pulls(ServiceCenterDiscovery discovery, ServiceCenterDiscovery.SubscriptionKey key) throws Exception {
    int all = count(provider) + 1;
    client.registerMicroserviceInstance(Registrations.instance(providerId, 50));
    check("restart: discovery sees what is new", cached(discovery, key, all), all);
    Object pushed = await(heard, 1, event -> event instanceof PullInstanceEvent);
    check("restart: by pulls, for the watch does not come back", pushed == null, pushed);
  }

  /** As the frameworks end: no more heartbeats, the status, then the deletion. */
  private void shutdown(ServiceCenterRegistration registration, String instanceId) {
    String before = find(own, "").getRevision();
    registration.stop();
    check("shutdown: the status is taken",
        client.updateMicroserviceInstanceStatus(own.getServiceId(), instanceId, MicroserviceInstanceStatus.DOWN), "DOWN");
    MicroserviceInstance down = find(own, before).getMicroserviceInstancesResponse().getInstances().get(0);
    check("shutdown: others see it", down.getStatus() == MicroserviceInstanceStatus.DOWN, down.getStatus());
    client.deleteMicroserviceInstance(own.getServiceId(), instanceId);
    check("shutdown: others see nobody at once", count(own) == 0, count(own));
  }

  /** The libraries take an address that fails out of the list that they were given. */
  private List<String> one() {
    return new ArrayList<>(List.of(engine));
  }

  private void startConfiguration() throws Exception {
    KieAddressManager kieAddresses = new KieAddressManager(one(), kieChanges.bus);
    KieConfiguration configuration = kieConfiguration();
    new KieConfigManager(new KieClient(kieAddresses, transport(), configuration), kieChanges.bus, configuration,
        new ConfigConverter(List.of()), kieAddresses).startConfigKieManager();
    ConfigCenterAddressManager centerAddresses = new ConfigCenterAddressManager("default", one(), centerChanges.bus);
    ConfigCenterManager center = new ConfigCenterManager(new ConfigCenterClient(centerAddresses, transport()), centerChanges.bus,
        new ConfigConverter(List.of()), new ConfigCenterConfiguration().setRefreshIntervalInMillis(500), centerAddresses);
    center.setQueryConfigurationsRequest(Registrations.configuration(APP, "own"));
    center.startConfigCenterManager();
  }

  private static KieConfiguration kieConfiguration() {
    return new KieConfiguration().setProject("default").setAppName(APP).setServiceName("own").setVersion("1.0.0")
        .setEnvironment("").setEnableAppConfig(true).setEnableServiceConfig(false).setEnableVersionConfig(false)
        .setEnableCustomConfig(false).setEnableLongPolling(true).setPollingWaitInSeconds(10).setRefreshIntervalInMillis(15000)
        .setFirstPullRequired(true);
  }

  private static HttpTransport transport() {
    RequestConfig twice = HttpTransportFactory.defaultRequestConfig().setSocketTimeout(20_000).build();
    return HttpTransportFactory.createHttpTransport(new SSLProperties(), NO_AUTH, twice);
  }

  private static ServiceCenterClient client(ServiceCenterAddressManager addresses, EventBus events) {
    return new ServiceCenterClient(addresses, new SSLProperties(), NO_AUTH, "default", Collections.emptyMap()).setEventBus(events);
  }

  private FindMicroserviceInstancesResponse find(Microservice service, String revision) {
    return client.findMicroserviceInstance(own.getServiceId(), APP, service.getServiceName(), "0+", revision);
  }

  private int count(Microservice service) {
    List<MicroserviceInstance> found = find(service, "").getMicroserviceInstancesResponse().getInstances();
    return found == null ? 0 : found.size();
  }

  private static boolean cached(ServiceCenterDiscovery discovery, ServiceCenterDiscovery.SubscriptionKey key, int least)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (System.nanoTime() < end) {
      List<MicroserviceInstance> known = discovery.getInstanceCache(key);
      if (known != null && known.size() >= least) {
        return true;
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
    return false;
  }

  private boolean beaten(boolean well) throws InterruptedException {
    return await(heard, 40, event -> event instanceof HeartBeatEvent beat && beat.isSuccess() == well) != null;
  }

  private Object await(Predicate<Object> wanted) throws InterruptedException {
    return await(heard, 20, wanted);
  }

  private static <T> T await(BlockingQueue<T> heard, int seconds, Predicate<T> wanted) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (System.nanoTime() < end) {
      T event = heard.poll(100, TimeUnit.MILLISECONDS);
      if (event != null && wanted.test(event)) {
        return event;
      }
    }
    return null;
  }

  private void write(String key, String value) throws Exception {
    String body = "{\"key\":\"" + key + "\",\"value\":\"" + value
        + "\",\"value_type\":\"text\",\"status\":\"enabled\",\"labels\":" + LABELS + "}";
    HttpRequest request = HttpRequest.newBuilder(URI.create(engine + "/waggle/v1/config/items"))
        .header("Content-Type", "application/json").method("PUT", BodyPublishers.ofString(body)).build();
    int status = http.send(request, BodyHandlers.ofString()).statusCode();
    if (status != 200) {
      throw new IllegalStateException(key + ": " + status);
    }
  }

  /** What was heard before counts no more. */
  private void ask(String word) throws Exception {
    wish(word);
    heard.clear();
  }

  /** What one configuration task tells of changes. */
  public static final class Changes {
    private final EventBus bus = new EventBus();
    private final BlockingQueue<ConfigurationChangedEvent> changes = new LinkedBlockingQueue<>();

    private Changes() {
      bus.register(this);
    }

    @Subscribe
    public void onChange(ConfigurationChangedEvent event) {
      changes.add(event);
    }

    private boolean tell(String key, String value) throws InterruptedException {
      return await(changes, 40, change -> value.equals(String.valueOf(change.getComplete().get(key)))) != null;
    }
  }
}
