# docker build -t nlds-backup .
# docker run -v /mnt/backups:/backups -e Storage__Directory__Path=/backups -e Postgres__Host=… nlds-backup check

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig appsettings.json ./
COPY src/ src/
COPY scripts/publish scripts/
RUN scripts/publish /app "$(echo "${TARGETARCH:-amd64}" | sed s/amd64/x64/)"

FROM mcr.microsoft.com/dotnet/runtime-deps:10.0
# zstd's library is in every image that has dpkg; asking for it says that it is needed. tzdata is for schedules in local time.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libzstd1 tzdata \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /opt/nlds-backup
RUN ln -s /opt/nlds-backup/NLDS.BackupAgent /usr/local/bin/nlds-backup

# Probes and Prometheus come from outside of the container. The image's own HTTP port is not used.
# Compiled code is mapped once instead of twice, which saves 8 MB and a little of each start.
ENV Agent__Urls=http://*:9464 \
    ASPNETCORE_HTTP_PORTS= \
    DOTNET_EnableWriteXorExecute=0
EXPOSE 9464

# The unprivileged user that the base image brings.
USER $APP_UID
WORKDIR /tmp
ENTRYPOINT ["nlds-backup"]
CMD ["run"]
