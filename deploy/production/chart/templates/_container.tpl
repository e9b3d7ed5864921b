{{- define "dissco.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
  - configMapRef: { name: {{ .Release.Name }}-settings }
  - secretRef: { name: {{ .Values.secret }} }
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  - { name: working, mountPath: /var/lib/dissco }
  - { name: instance, mountPath: /etc/dagster, readOnly: true }
  {{- if .Values.mappings }}
  - { name: mappings, mountPath: /mappings, readOnly: true }
  {{- end }}
{{- end -}}
{{- define "dissco.volumes" -}}
- { name: tmp, emptyDir: {} }
- { name: instance, configMap: { name: {{ .Release.Name }}-instance } }
{{- with .Values.mappings }}
- name: mappings
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
