{# The template of the jinja plugin; stoq-jinja(7) says what can be used here. #}
stoQ Scan Results
-----------------

ScanID: {{ response.scan_id }}
Date: {{ response.time }}
Total Payloads: {{ response.results|length }}
Request Metadata:
  - Archive Payload: {{ response.request_meta.archive_payloads }}
{% if response.request_meta.source is not none %}
  - Source: {{ response.request_meta.source|safe }}
{% endif %}
{% for k, v in response.request_meta.extra_data.items() %}
  - {{ k|safe }}: {{ v|safe }}
{% endfor %}
Errors:
{% for error in response.errors %}
  - {{ error.plugin_name|default('stoq', true)|safe }}: {{ error.error|safe }}
{% endfor %}

Payloads:
{% for payload in response.results %}

--------------------------------------------------
  Payload ID: {{ payload.payload_id }}
  Size: {{ payload.size }}
  Extracted From: {{ payload.extracted_from|join(', ')|default('None', true) }}
  Extracted By: {{ payload.extracted_by|join(', ')|default('None', true) }}
  Metadata:
    - Archive Payload: {{ payload.payload_meta.should_archive }}
    - Dispatch To: {{ payload.payload_meta.dispatch_to|join(', ') }}
    {% for k, v in payload.payload_meta.extra_data.items() %}
    - {{ k|safe }}: {{ v|safe }}
    {% endfor %}
  Archivers:
  {% for k, v in payload.archivers.items() %}
    {{ k }}:
      - {{ v|safe }}
  {% endfor %}
  Worker Results:
  {% for k, v in payload.workers.items() %}
    {{ k }}:
      - {{ v|safe }}
  {% endfor %}
{% endfor %}
