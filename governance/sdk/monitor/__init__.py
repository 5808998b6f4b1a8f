"""What a service tells of itself for dashboards, in the document that Java Chassis and Spring Cloud Huawei upload."""

from governance.sdk.monitor.document import Document
from governance.sdk.monitor.tally import Tally
from governance.sdk.monitor.upload import Uploads

__all__ = ["Document", "Tally", "Uploads"]
