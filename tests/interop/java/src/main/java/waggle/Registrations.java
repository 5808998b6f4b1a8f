package waggle;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;

import org.apache.servicecomb.config.center.client.model.QueryConfigurationsRequest;
import org.apache.servicecomb.dashboard.client.model.MonitorData;
import org.apache.servicecomb.service.center.client.model.Microservice;
import org.apache.servicecomb.service.center.client.model.MicroserviceInstance;

/** What the programs register, tell of themselves, and ask for. */
final class Registrations {
  private Registrations() {}

  static Microservice service(String app, String name) {
    Microservice service = new Microservice(name);
    service.setAppId(app);
    service.setVersion("1.0.0");
    service.setEnvironment("");
    service.setProperties(new HashMap<>());
    service.setSchemas(new ArrayList<>());
    return service;
  }

  static MicroserviceInstance instance(String serviceId, int port) {
    MicroserviceInstance instance = new MicroserviceInstance();
    instance.setServiceId(serviceId);
    instance.setHostName("java");
    instance.setEndpoints(List.of("rest://127.0.0.1:" + port));
    instance.setProperties(new HashMap<>());
    return instance;
  }

  /** An upload of an instance, without interfaces. */
  static MonitorData monitored(Microservice service, String serviceId, String instanceId) {
    MonitorData data = new MonitorData();
    data.setAppId(service.getAppId());
    data.setName(service.getServiceName());
    data.setVersion(service.getVersion());
    data.setServiceId(serviceId);
    data.setInstance("java");
    data.setInstanceId(instanceId);
    data.setThreadCount(23);
    data.setInterfaces(new ArrayList<>());
    return data;
  }

  /** What Config Center is asked for by a service that knows nothing yet. */
  static QueryConfigurationsRequest configuration(String app, String name) {
    return new QueryConfigurationsRequest().setApplication(app).setServiceName(name).setVersion("1.0.0").setEnvironment("")
        .setRevision(null);
  }
}
