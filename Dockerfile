# docker build -t nlds-backup .
# docker run -v /mnt/backups:/backups -e Storage__Directory__Path=/backups -e Postgres__Host=… nlds-backup check

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig appsettings.json ./
COPY src/ src/
# Compiled ahead of time where that is possible: the agent starts in half the time, which wal-fetch does once for each segment.
RUN dotnet publish src/NLDS.BackupAgent --configuration Release --os linux --arch "${TARGETARCH:-amd64}" --self-contained false \
        -p:PublishReadyToRun=true -p:DebugType=none --output /app --nologo

FROM mcr.microsoft.com/dotnet/aspnet:10.0
# zstd's library is in every image that has dpkg; asking for it says that it is needed. tzdata is for schedules in local time.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libzstd1 tzdata \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /opt/nlds-backup
RUN ln -s /opt/nlds-backup/NLDS.BackupAgent /usr/local/bin/nlds-backup

# Probes and Prometheus come from outside of the container. The image's own HTTP port is not used.
ENV Agent__Urls=http://*:9464 \
    ASPNETCORE_HTTP_PORTS=
EXPOSE 9464

# The unprivileged user that the base image brings.
USER $APP_UID
WORKDIR /tmp
ENTRYPOINT ["nlds-backup"]
CMD ["run"]
