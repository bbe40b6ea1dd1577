"""The same pull by dlt's rest_api source: BASE_URL DESTINATION PAGE_SIZE FOLDER, where DESTINATION is a postgres:// or sqlite:/// URL."""

import sys
import time

import dlt
from dlt.sources.rest_api import rest_api_source

base_url, destination, page_size, folder = sys.argv[1:]
source = rest_api_source(
    {
        "client": {
            "base_url": base_url,
            "paginator": {"type": "offset", "limit": int(page_size), "total_path": "total"},
        },
        "resources": [
            {
                "name": "customers",
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {"path": "customers", "data_selector": "data"},
            }
        ],
    }
)
into = dlt.destinations.postgres if destination.startswith("postgres") else dlt.destinations.sqlalchemy
pipeline = dlt.pipeline("pull", destination=into(destination), dataset_name="pulled", pipelines_dir=folder)
started = time.monotonic()
pipeline.run(source)
seconds = time.monotonic() - started
with pipeline.sql_client() as client:
    rows = client.execute_sql("SELECT count(DISTINCT id) FROM customers")[0][0]
print(f"{rows} {seconds}")
