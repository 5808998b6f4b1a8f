package waggle;

import com.google.common.eventbus.EventBus;
import com.google.common.eventbus.Subscribe;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.http.client.config.RequestConfig;
import org.apache.servicecomb.config.center.client.ConfigCenterAddressManager;
import org.apache.servicecomb.config.center.client.ConfigCenterClient;
import org.apache.servicecomb.config.kie.client.KieClient;
import org.apache.servicecomb.config.kie.client.model.ConfigurationsRequest;
import org.apache.servicecomb.config.kie.client.model.KieAddressManager;
import org.apache.servicecomb.config.kie.client.model.KieConfiguration;
import org.apache.servicecomb.dashboard.client.DashboardAddressManager;
import org.apache.servicecomb.dashboard.client.DashboardClient;
import org.apache.servicecomb.dashboard.client.model.MonitorData;
import org.apache.servicecomb.foundation.ssl.SSLCustom;
import org.apache.servicecomb.foundation.ssl.SSLOption;
import org.apache.servicecomb.http.client.auth.RequestAuthHeaderProvider;
import org.apache.servicecomb.http.client.common.HttpConfiguration.SSLProperties;
import org.apache.servicecomb.http.client.common.HttpTransport;
import org.apache.servicecomb.http.client.common.HttpTransportFactory;
import org.apache.servicecomb.service.center.client.DiscoveryEvents.PullInstanceEvent;
import org.apache.servicecomb.service.center.client.ServiceCenterAddressManager;
import org.apache.servicecomb.service.center.client.ServiceCenterClient;
import org.apache.servicecomb.service.center.client.ServiceCenterWatch;

/**
 * The client libraries of Java Chassis and Spring Cloud Huawei over TLS, with the peer checked, one line a check: `ok NAME | SAW` or
 * `bad NAME | SAW`. A line `now uploaded` asks whoever runs this to look at what the engine has of an upload. Arguments: the engine's https
 * address, a PKCS12 store that trusts its authority, one that trusts another, and the password of both.
 */
public final class TlsCheck extends Check {
  private static final RequestAuthHeaderProvider NO_AUTH = request -> Collections.emptyMap();
  private static final String APP = "tls-java";

  private final String engine;
  private final String password;
  private final EventBus events = new EventBus();
  private final ServiceCenterAddressManager addresses;
  private final BlockingQueue<Object> heard = new LinkedBlockingQueue<>();

  private TlsCheck(String engine, String password) {
    this.engine = engine;
    this.password = password;
    addresses = new ServiceCenterAddressManager("default", List.of(engine), events);
    events.register(this);
  }

  public static void main(String[] arguments) throws Exception {
    TlsCheck check = new TlsCheck(arguments[0], arguments[3]);
    check.trusted(check.trusting(arguments[1]));
    check.refused(check.trusting(arguments[2]));
    check.end();
  }

  @Subscribe
  public void onPull(PullInstanceEvent event) {
    heard.add(event);
  }

  private void trusted(SSLProperties tls) throws Exception {
    ServiceCenterClient client = new ServiceCenterClient(addresses, tls, NO_AUTH, "default", Collections.emptyMap());
    String serviceId = client.registerMicroservice(Registrations.service(APP, "own")).getServiceId();
    String instanceId = client.registerMicroserviceInstance(Registrations.instance(serviceId, 1)).getInstanceId();
    check("registers and beats", client.sendHeartBeat(serviceId, instanceId), instanceId);
    check("finds itself", client.findMicroserviceInstance(serviceId, APP, "own", "0+", "").isModified(), serviceId);
    check("reads its configuration", reads(tls), APP);
    ConfigCenterAddressManager centerAddresses = new ConfigCenterAddressManager("default", List.of(engine), events);
    ConfigCenterClient center = new ConfigCenterClient(centerAddresses, transport(tls));
    check("reads Config Center",
        center.queryConfigurations(Registrations.configuration(APP, "own"), centerAddresses.address()).isChanged(), APP);
    upload(tls, serviceId, instanceId);
    ServiceCenterWatch watch = new ServiceCenterWatch(addresses, tls, NO_AUTH, "default", new HashMap<>(), events);
    watch.startWatch("default", serviceId);
    boolean pushed = false;
    // The watch tells nobody when it is connected, so instances come until it speaks.
    for (int port = 2; port < 22 && !pushed; port++) {
      client.registerMicroserviceInstance(Registrations.instance(serviceId, port));
      pushed = heard.poll(1, TimeUnit.SECONDS) != null;
    }
    check("the watch tells over wss", pushed, serviceId);
    watch.stop();
  }

  /** The library tells nobody whether that succeeded. */
  private void upload(SSLProperties tls, String serviceId, String instanceId) throws Exception {
    MonitorData data = Registrations.monitored(Registrations.service(APP, "own"), serviceId, instanceId);
    new DashboardClient(new DashboardAddressManager(List.of(engine), events), transport(tls))
        .sendData("/v2/default/csemonitor/metric?service=own", data);
    wish("uploaded");
  }

  private static HttpTransport transport(SSLProperties tls) {
    return HttpTransportFactory.createHttpTransport(tls, NO_AUTH, RequestConfig.custom().build());
  }

  private void refused(SSLProperties tls) {
    ServiceCenterClient client = new ServiceCenterClient(addresses, tls, NO_AUTH, "default", Collections.emptyMap());
    String saw;
    try {
      saw = "taken: " + client.registerMicroservice(Registrations.service(APP, "own")).getServiceId();
    } catch (RuntimeException error) {
      saw = String.valueOf(error.getCause());
    }
    check("an engine of an unknown authority is not trusted", saw.contains("SSLHandshakeException"), saw);
  }

  private boolean reads(SSLProperties tls) {
    KieAddressManager kieAddresses = new KieAddressManager(List.of(engine), events);
    KieConfiguration configuration = new KieConfiguration().setProject("default").setAppName(APP).setServiceName("own")
        .setEnvironment("").setVersion("1.0.0");
    KieClient kie = new KieClient(kieAddresses, transport(tls), configuration);
    ConfigurationsRequest request = new ConfigurationsRequest().setOrder(1).setWithExact(true)
        .setLabelsQuery("label=app%3A" + APP).setRevision(ConfigurationsRequest.INITIAL_REVISION);
    return kie.queryConfigurations(request, kieAddresses.address()).isChanged();
  }

  /** As the frameworks have it with `ssl.authPeer: true`. */
  private SSLProperties trusting(String store) {
    SSLOption option = new SSLOption();
    option.setEngine("jdk");
    option.setProtocols("TLSv1.2,TLSv1.3");
    option.setCiphers("TLS_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
    option.setAuthPeer(true);
    option.setCheckCNHost(false);
    option.setStorePath("");
    option.setTrustStore(store);
    option.setTrustStoreType("PKCS12");
    option.setTrustStoreValue(password);
    option.setKeyStore("none.p12");
    option.setKeyStoreType("PKCS12");
    option.setKeyStoreValue("");
    option.setCrl("");
    SSLProperties tls = new SSLProperties();
    tls.setEnabled(true);
    tls.setSslOption(option);
    tls.setSslCustom(SSLCustom.defaultSSLCustom());
    return tls;
  }
}
