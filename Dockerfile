# The service in any role. Debian, for the uWebSockets.js binary needs glibc.
FROM node:22.21-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY src src
COPY client client
# npm ci builds as well; what only the build needs goes again.
RUN npm ci --no-audit --no-fund && npm prune --omit=dev --no-audit --no-fund

FROM node:22.21-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY package.json ./
COPY schemas schemas
COPY topics topics
COPY src/store/migrations src/store/migrations
COPY --from=build /app/dist dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
CMD ["node", "--disable-warning=ExperimentalWarning", "--v8-pool-size=0", "dist/cli.js", "serve"]
