{{- define "web.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- end -}}
{{- define "web.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- if .Chart.AppVersion }}
app.kubernetes.io/version: {{ .Chart.AppVersion | printf "%q" }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.fullname" . }}
  labels:
    {{- include "web.labels" . | printf "%s" }}
    {{- range $key, $value := .Values.labels }}
    {{ $key }}: {{ $value }}
    {{- end }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  template:
    spec:
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ .name }}
        {{- end }}
      {{- end }}
      serviceAccountName: {{ include "web.fullname" . }}
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | or .Chart.AppVersion }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          {{- if and .Values.ports (gt (len .Values.ports) 0) }}
          ports:
            {{- range $index, $port := .Values.ports }}
            - name: {{ $port.name }}
              containerPort: {{ $port.port }}
              {{- if eq $port.protocol "UDP" "SCTP" }}
              protocol: {{ $port.protocol }}
              {{- else if ne $port.protocol "" }}
              protocol: TCP
              {{- end }}
            {{- end }}
          {{- end }}
          env:
            {{- $root := . }}
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ printf "%s-%v" $root.Release.Name $value | html }}
            {{- end }}
          {{- with .Values.resources }}
          resources:
            limits: {{ index . "limits" "cpu" }}/{{ (index . "limits").memory }}
          {{- end }}
{{- range $i := .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "web.fullname" $ }}-{{ $i }}
  labels:
    {{- include "web.labels" $ }}
data:
  {{- range $key, $value := $.Values.env }}
  {{ $key }}: {{ $value | printf "%q" }}
  {{- end }}
{{- end }}
