package waggle;

import com.google.common.eventbus.EventBus;
import com.google.common.eventbus.Subscribe;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.servicecomb.http.client.auth.RequestAuthHeaderProvider;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.service.center.client.DiscoveryEvents.PullInstanceEvent;
import org.apache.servicecomb.service.center.client.RegistrationEvents.HeartBeatEvent;
import org.apache.servicecomb.service.center.client.RegistrationEvents.MicroserviceInstanceRegistrationEvent;
import org.apache.servicecomb.service.center.client.ServiceCenterAddressManager;
import org.apache.servicecomb.service.center.client.ServiceCenterClient;
import org.apache.servicecomb.service.center.client.ServiceCenterDiscovery;
import org.apache.servicecomb.service.center.client.ServiceCenterRegistration;
import org.apache.servicecomb.service.center.client.ServiceCenterWatch;
import org.apache.servicecomb.service.center.client.exception.OperationException;
import org.apache.servicecomb.service.center.client.model.CreateSchemaRequest;
import org.apache.servicecomb.service.center.client.model.FindMicroserviceInstancesResponse;
import org.apache.servicecomb.service.center.client.model.Framework;
import org.apache.servicecomb.service.center.client.model.HealthCheck;
import org.apache.servicecomb.service.center.client.model.HealthCheckMode;
import org.apache.servicecomb.service.center.client.model.HeartbeatsRequest;
import org.apache.servicecomb.service.center.client.model.InstancesRequest;
import org.apache.servicecomb.service.center.client.model.Microservice;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstance;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstanceStatus;
import org.apache.servicecomb.service.center.client.model.ModifySchemasRequest;
import org.apache.servicecomb.service.center.client.model.SchemaInfo;
import org.apache.servicecomb.service.center.client.model.ServiceCenterConfiguration;

/**
 * Drives an engine through the client library that Java Chassis and Spring Cloud Huawei use, and prints what the library's own API
 * returned: one line a check, `ok NAME SAW` or `bad NAME SAW`. Arguments: the engine's addresses.
 */
public final class RegistryCheck extends Check {
  private static final String APP = "interop-java";
  private static final RequestAuthHeaderProvider NO_AUTH = request -> Collections.emptyMap();
  private static final Map<String, String> NO_HEADERS = Collections.emptyMap();

  private final EventBus events = new EventBus();
  private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();
  private final ServiceCenterAddressManager addresses;
  private final SSLProperties tls = new SSLProperties();
  private final ServiceCenterClient client;
  private final String run = UUID.randomUUID().toString().substring(0, 8);

  private RegistryCheck(List<String> engines) {
    addresses = new ServiceCenterAddressManager("default", engines, events);
    client = new ServiceCenterClient(addresses, tls, NO_AUTH, "default", NO_HEADERS).setEventBus(events);
    events.register(this);
  }

  public static void main(String[] engines) throws Exception {
    RegistryCheck check = new RegistryCheck(List.of(engines));
    check.calls();
    check.tasks();
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

  /** Every call of the library that the frameworks make, one by one. */
  private void calls() throws Exception {
    Microservice provider = Registrations.service(APP, "provider-" + run);
    check("unknown service has no id", client.queryServiceId(provider) == null, null);
    String providerId = client.registerMicroservice(provider).getServiceId();
    check("service gets an id", providerId.length() == 40, providerId);
    provider.setServiceId(providerId);
    check("same service, same id", client.registerMicroservice(provider).getServiceId().equals(providerId), providerId);
    check("service is found by name", client.queryServiceId(provider).getServiceId().equals(providerId), providerId);
    Microservice read = client.getMicroserviceByServiceId(providerId);
    check("service is read back", read.getServiceName().equals(provider.getServiceName()), read.getServiceName());
    List<Microservice> services = client.getMicroserviceList().getServices();
    check("services are listed", services.stream().anyMatch(one -> providerId.equals(one.getServiceId())), services.size());
    schemas(providerId);
    Framework framework = new Framework();
    framework.setName("springCloud");
    framework.setVersion("1.11.11");
    check("properties are replaced", client.updateMicroserviceProperties(providerId, Map.of("a", "b"), framework), "a");
    check("properties are read back", client.getMicroserviceByServiceId(providerId).getProperties().get("a").equals("b"), "a");

    String instanceId = client.registerMicroserviceInstance(instance(providerId, 1)).getInstanceId();
    check("instance gets an id", instanceId.length() == 32, instanceId);
    check("heartbeat is taken", client.sendHeartBeat(providerId, instanceId), instanceId);
    check("heartbeat of an unknown instance is refused", !accepted(() -> client.sendHeartBeat(providerId, "nobody")), "nobody");
    HeartbeatsRequest batch = new HeartbeatsRequest(providerId, instanceId);
    batch.addInstances(new InstancesRequest(providerId, "nobody"));
    check("batch heartbeat is taken", accepted(() -> { client.sendHeartBeats(batch); return true; }), 2);

    String consumerId = client.registerMicroservice(Registrations.service(APP, "consumer-" + run)).getServiceId();
    FindMicroserviceInstancesResponse first = find(consumerId, provider, "");
    check("find has a revision", first.isModified() && first.getRevision() != null, first.getRevision());
    int found = first.getMicroserviceInstancesResponse().getInstances().size();
    check("find sees the instance", found == 1, found);
    check("find with the revision is not modified", !find(consumerId, provider, first.getRevision()).isModified(), 304);
    String second = client.registerMicroserviceInstance(instance(providerId, 2)).getInstanceId();
    FindMicroserviceInstancesResponse grown = find(consumerId, provider, first.getRevision());
    check("find sees the second at once", grown.isModified()
        && grown.getMicroserviceInstancesResponse().getInstances().size() == 2, grown.getRevision());
    MicroserviceInstance seen = client.getMicroserviceInstance(providerId, second);
    check("instance has the service's version", "1.0.0".equals(seen.getVersion()), seen.getVersion());
    int all = client.getMicroserviceInstanceList(providerId).getInstances().size();
    check("instances are listed", all == 2, all);
    check("status is set", client.updateMicroserviceInstanceStatus(providerId, second, MicroserviceInstanceStatus.DOWN), "DOWN");
    seen = client.getMicroserviceInstance(providerId, second);
    check("status is read back", seen.getStatus() == MicroserviceInstanceStatus.DOWN, seen.getStatus());
    client.deleteMicroserviceInstance(providerId, second);
    int left = find(consumerId, provider, "").getMicroserviceInstancesResponse().getInstances().size();
    check("unregistered is gone at once", left == 1, left);
    int engines = client.getServiceCenterInstances().getInstances().size();
    check("the engine lists itself", engines == 1, engines);
    check("find of an unknown service is refused", () -> refused(() -> find(consumerId, Registrations.service(APP, "none-" + run), "")));
  }

  private void schemas(String providerId) throws Exception {
    CreateSchemaRequest schema = new CreateSchemaRequest();
    schema.setSchema("swagger: '2.0'");
    schema.setSummary("abc123");
    check("schema is stored", client.registerSchema(providerId, "hello", schema), "hello");
    check("schema is read back", client.getServiceSchemaContext(providerId, "hello").equals("swagger: '2.0'"), "hello");
    List<SchemaInfo> schemas = client.getServiceSchemasList(providerId, true);
    check("schemas are listed", schemas.size() == 1 && schemas.get(0).getSummary().equals("abc123"), schemas.size());
    boolean taken = client.updateServiceSchemaContext(providerId, new SchemaInfo("hello", "swagger: '2.0' # 2", "abc124"));
    String changed = client.getServiceSchemaContext(providerId, "hello");
    check("schema is replaced", taken && changed.equals("swagger: '2.0' # 2"), changed);
    ModifySchemasRequest several = new ModifySchemasRequest();
    several.setSchemas(List.of(new SchemaInfo("one", "swagger: '2.0' # one", "1"), new SchemaInfo("two", "swagger: '2.0' # two", "2")));
    taken = client.batchUpdateServiceSchemaContext(providerId, several);
    List<String> ids = client.getServiceSchemasList(providerId, false).stream().map(SchemaInfo::getSchemaId).sorted().toList();
    check("schemas are replaced together", taken && ids.equals(List.of("one", "two")), ids);
  }

  /** The library's own tasks: registration with heartbeats, discovery by pulls, and the watch. */
  private void tasks() throws Exception {
    Microservice own = Registrations.service(APP, "task-" + run);
    MicroserviceInstance ownInstance = instance(null, 3);
    SchemaInfo schema = new SchemaInfo("tasks", "swagger: '2.0'", "cafe");
    own.setSchemas(List.of("tasks"));
    ServiceCenterRegistration registration =
        new ServiceCenterRegistration(client, new ServiceCenterConfiguration().setCanOverwriteSwagger(true), events);
    registration.setMicroservice(own).setMicroserviceInstance(ownInstance).setHeartBeatInterval(1000)
        .setHeartBeatRequestTimeout(3000).setSchemaInfos(List.of(schema)).startRegistration();
    MicroserviceInstanceRegistrationEvent registered = await(MicroserviceInstanceRegistrationEvent.class);
    check("task registers", registered != null && registered.isSuccess(), ownInstance.getInstanceId());
    HeartBeatEvent beat = await(HeartBeatEvent.class);
    check("task beats", beat != null && beat.isSuccess(), beat);
    check("task uploaded its schema", client.getServiceSchemaContext(own.getServiceId(), "tasks").equals("swagger: '2.0'"), "tasks");

    Microservice provider = Registrations.service(APP, "watched-" + run);
    String providerId = client.registerMicroservice(provider).getServiceId();
    client.registerMicroserviceInstance(instance(providerId, 4));
    ServiceCenterDiscovery discovery = new ServiceCenterDiscovery(client, events).setPollInterval(1000);
    discovery.updateMyselfServiceId(own.getServiceId());
    ServiceCenterDiscovery.SubscriptionKey key =
        new ServiceCenterDiscovery.SubscriptionKey(APP, provider.getServiceName());
    discovery.registerIfNotPresent(key);
    discovery.startDiscovery();
    check("discovery pulls", cached(discovery, key, 1), provider.getServiceName());
    ServiceCenterWatch watch = new ServiceCenterWatch(addresses, tls, NO_AUTH, "default", new HashMap<>(), events);
    watch.startWatch("default", own.getServiceId());
    check("watch tells of a new instance", pushed(providerId), providerId);
    check("discovery sees it", cached(discovery, key, 2), provider.getServiceName());
    watch.stop();
    discovery.stop();
    registration.stop();
    client.deleteMicroserviceInstance(own.getServiceId(), ownInstance.getInstanceId());
  }

  /** The watch posts a pull event for every frame. It tells nobody when it is connected, so instances come until it speaks. */
  private boolean pushed(String providerId) throws InterruptedException {
    for (int port = 5; port < 25; port++) {
      client.registerMicroserviceInstance(instance(providerId, port));
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(1);
      while (System.nanoTime() < end) {
        Object event = heard.poll(100, TimeUnit.MILLISECONDS);
        if (event instanceof PullInstanceEvent) {
          return true;
        }
      }
    }
    return false;
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

  private <T> T await(Class<T> kind) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (System.nanoTime() < end) {
      Object event = heard.poll(1, TimeUnit.SECONDS);
      if (kind.isInstance(event)) {
        return kind.cast(event);
      }
    }
    return null;
  }

  private FindMicroserviceInstancesResponse find(String consumerId, Microservice provider, String revision) {
    return client.findMicroserviceInstance(consumerId, APP, provider.getServiceName(), "0+", revision);
  }

  private static MicroserviceInstance instance(String serviceId, int port) {
    MicroserviceInstance instance = Registrations.instance(serviceId, port);
    HealthCheck health = new HealthCheck();
    health.setMode(HealthCheckMode.push);
    health.setInterval(15);
    health.setTimes(3);
    instance.setHealthCheck(health);
    return instance;
  }

  private interface Call {
    Object make() throws Exception;
  }

  private static boolean accepted(Call call) throws Exception {
    try {
      return Boolean.TRUE.equals(call.make());
    } catch (OperationException error) {
      return false;
    }
  }

  private static String refused(Call call) throws Exception {
    try {
      call.make();
      return null;
    } catch (OperationException error) {
      return String.valueOf(error.getMessage());
    }
  }

  private void check(String name, Call call) throws Exception {
    Object saw = call.make();
    check(name, saw != null, saw);
  }
}
